//! Step 7: how large?

use std::fmt::Write as _;
use std::time::Duration;

use bulkhead::{SizeError, Workload, size_for};

use super::{MILLISECOND, SECOND};

/// Without headroom.
fn tight(arrivals_per_second: f64, service_time: Duration) -> Workload {
    Workload { arrivals_per_second, service_time, utilisation: 1.0 }
}

#[test]
fn as_many_places_as_calls_run_on_average() {
    assert_eq!(
        size_for(tight(280.0, 50 * MILLISECOND)),
        Ok(14),
        "280 begin in a second, and each takes a twentieth of one: 14 run at a time"
    );
    assert_eq!(size_for(tight(0.1, 300 * SECOND)), Ok(30), "one in ten seconds, five minutes each");
}

#[test]
fn a_part_of_a_place_is_a_whole_one() {
    assert_eq!(size_for(tight(281.0, 50 * MILLISECOND)), Ok(15), "14.05 don't fit into 14");
    assert_eq!(size_for(tight(1.0, MILLISECOND)), Ok(1), "a thousandth of a place is one");
    assert_eq!(
        size_for(tight(1_000.0, Duration::from_micros(1_100))),
        Ok(2),
        "1.1 ms is more than a millisecond: a service time that is cut to whole ones gives 1 place"
    );
    assert_eq!(
        size_for(tight(1_000_000.0, Duration::from_nanos(1_500))),
        Ok(2),
        "nor is it whole microseconds: 1.5 run at a time"
    );
    assert_eq!(
        size_for(tight(140_001.0, Duration::from_micros(100))),
        Ok(15),
        "14.0001 don't fit into 14 either: floats are off by far less"
    );
    assert_eq!(
        size_for(tight(1.0 / 86_400.0, 50 * MILLISECOND)),
        Ok(1),
        "once a day needs a place as well: what is taken off before rounding is a share of the number, and \
         no fixed amount"
    );
    let least = size_for(tight(f64::from_bits(1), Duration::from_nanos(1)));
    assert_eq!(least, Ok(1), "in floats this product is 0, and no bulkhead has 0 places");
}

#[test]
fn headroom_is_on_top() {
    let mut table = String::new();

    for utilisation in [1.0, 0.8, 0.7, 0.5, 0.01] {
        let workload = Workload { utilisation, ..tight(280.0, 50 * MILLISECOND) };
        let places = size_for(workload).expect("a valid workload");
        writeln!(table, "{:>3.0} % in use: {places}", utilisation * 100.0).unwrap();
    }

    insta::assert_snapshot!(
        table,
        "14 run on average. If they are to be 80 % of the places, there are 14 / 0.8 = 17.5 of them; \
         1.2 × 14 would be 16.8, and leave less than a fifth free. Round once, at the end",
        @"
        100 % in use: 14
         80 % in use: 18
         70 % in use: 20
         50 % in use: 28
          1 % in use: 1400
        "
    );
    for (per_second, places) in [(10.0, 1), (225.0, 23)] {
        let workload = Workload { utilisation: 0.5, ..tight(per_second, 50 * MILLISECOND) };
        assert_eq!(
            size_for(workload),
            Ok(places),
            "{per_second}/s: twice as many places as calls run on average, and then rounded up. Who rounds \
             first doubles the rounding as well"
        );
    }
}

#[test]
fn a_whole_number_of_places_is_not_rounded_up() {
    for millis in 1..=2_000_u32 {
        for per_second in [100, 300, 700, 1_000_u64] {
            let service_time = Duration::from_millis(u64::from(millis));
            let thousandths = u64::from(millis) * per_second;
            if thousandths.is_multiple_of(1_000) {
                let size = size_for(tight(per_second as f64, service_time));
                assert_eq!(
                    size.map(|places| places as u64),
                    Ok(thousandths / 1_000),
                    "{per_second}/s of {service_time:?}: in floats 100 × 0.14 is 14.000000000000002, which \
                     is no reason for a fifteenth place"
                );
            }
        }
    }
    let most = Workload { utilisation: 0.01, ..tight(1_000_000.0, 3_600 * SECOND) };
    assert_eq!(size_for(most), Ok(360_000_000_000), "the largest that can be asked for");
}

#[test]
fn nonsense_is_refused() {
    let fine = tight(280.0, 50 * MILLISECOND);
    for rate in [0.0, -1.0, f64::INFINITY, 1_000_001.0] {
        let asked = Workload { arrivals_per_second: rate, ..fine };
        assert_eq!(size_for(asked), Err(SizeError::Arrivals(rate)), "no such rate has a size");
    }
    for service_time in [Duration::ZERO, Duration::MAX] {
        let asked = Workload { service_time, ..fine };
        assert_eq!(
            size_for(asked),
            Err(SizeError::ServiceTime(service_time)),
            "no call takes that"
        );
    }
    for utilisation in [0.0, -0.5, 1.5, 80.0] {
        let asked = Workload { utilisation, ..fine };
        assert_eq!(
            size_for(asked),
            Err(SizeError::Utilisation(utilisation)),
            "a share is 0.01 to 1, and 80 would be percent"
        );
    }
    let nan = Workload { utilisation: f64::NAN, ..fine };
    assert!(size_for(nan).is_err(), "NaN is smaller than nothing and larger than nothing");
}
