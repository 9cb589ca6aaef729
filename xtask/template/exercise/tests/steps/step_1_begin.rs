//! Step 1: as many calls as there is room for.

use __CRATE__::admits;

#[test]
fn the_last_place_is_given_and_no_more() {
    let admitted: Vec<_> = (0..6).filter(|running| admits(*running, 3)).collect();

    assert_eq!(
        admitted,
        [0, 1, 2],
        "a limit of 3 means that three calls run at a time: a fourth begins when one of them has ended"
    );
}
