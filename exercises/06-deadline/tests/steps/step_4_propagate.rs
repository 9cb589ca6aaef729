//! Step 4: less at every hop.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get as on_get;
use deadline::{
    Deadline, Expired, Limits, Rejected, RunError, WireError, format_x_deadline, parse_grpc_timeout,
};

use tokio::time::sleep;

use super::{
    BUFFER, MILLISECOND, NANOSECOND, SECOND, gate, get, headers, serve, strict, timeout_of, wait,
    wall,
};

#[tokio::test(start_paused = true)]
async fn a_request_has_as_much_time_as_it_says() {
    let gate = gate(strict());
    let left = |name: &'static str, value: &str| {
        gate.admit(&headers([(name, value)]), wall()).map(Deadline::remaining)
    };

    assert_eq!(left("grpc-timeout", "1500m"), Ok(1_500 * MILLISECOND), "by grpc-timeout");
    assert_eq!(left("grpc-timeout", "1n"), Ok(NANOSECOND), "a nanosecond is not nothing");
    assert_eq!(
        left("x-deadline", "2024-01-15T10:30:02Z"),
        Ok(2 * SECOND),
        "by x-deadline, at half past ten: the time on the wall is an argument"
    );
}

#[tokio::test(start_paused = true)]
async fn each_request_without_a_header_gets_the_default_from_its_own_beginning() {
    let gate = gate(Limits { default_budget: 4 * SECOND, ..strict() });

    for _ in 0..3 {
        let deadline = gate.admit(&headers([]), wall()).expect("it has the default");
        assert_eq!(
            deadline.remaining(),
            4 * SECOND,
            "a deadline belongs to a request: kept in the gate, or in a client, the first one's is everybody's"
        );
        wait(3 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_more_than_the_most() {
    let gate = gate(Limits { max_budget: 10 * SECOND, ..strict() });

    for (name, asked, given) in [
        ("grpc-timeout", "9999m", 9_999 * MILLISECOND),
        ("grpc-timeout", "10S", 10 * SECOND),
        ("grpc-timeout", "99999999H", 10 * SECOND),
        ("x-deadline", "2024-01-15T10:30:09.999Z", 9_999 * MILLISECOND),
        ("x-deadline", "2024-01-15T10:30:11Z", 10 * SECOND),
        ("x-deadline", "9999-12-31T23:59:59Z", 10 * SECOND),
    ] {
        let deadline = gate.admit(&headers([(name, asked)]), wall());
        assert_eq!(
            deadline.map(Deadline::remaining),
            Ok(given),
            "{asked} is asked for: what a service can spare is its own to say"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_or_too_late_is_turned_away_with_the_reason() {
    let gate = gate(strict());
    let mut answers = String::new();

    for (name, value) in [
        ("grpc-timeout", "soon"),
        ("x-deadline", "soon"),
        ("grpc-timeout", "0n"),
        ("x-deadline", "2024-01-15T10:30:00Z"),
    ] {
        let refused = gate.admit(&headers([(name, value)]), wall());
        let response = refused.expect_err("no time for this one").into_response();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1_000).await.unwrap();
        writeln!(answers, "{status}: {}", String::from_utf8_lossy(&body)).unwrap();
    }

    insta::assert_snapshot!(
        answers,
        "a header that can't be read is the caller's fault and says which; a deadline that has passed is nobody's, \
         and nothing is done for it",
        @"
        400 Bad Request: grpc-timeout is `soon`: send 1 to 8 digits and a unit, one of H M S m u n
        400 Bad Request: x-deadline is `soon`: send a time in UTC as RFC 3339 has it, 2024-01-15T10:30:00.000Z
        504 Gateway Timeout: the deadline of this request has passed: nothing was done
        504 Gateway Timeout: the deadline of this request has passed: nothing was done
        "
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_given_the_deadline_of_its_request() {
    const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);
    let gate = gate(Limits { max_budget: 2 * HALF_AN_HOUR, ..strict() });
    let extract = async |name: &str, value: &str| {
        let request = Request::get("/").header(name, value).body(()).unwrap();
        Deadline::from_request_parts(&mut request.into_parts().0, &gate).await
    };

    let relative = extract("grpc-timeout", "2S").await.map(Deadline::remaining);
    assert_eq!(relative, Ok(2 * SECOND), "what the gate gives");
    assert_eq!(extract("grpc-timeout", "0S").await, Err(Rejected::Expired), "and what it rejects");
    let mut expired =
        Request::get("/").header("grpc-timeout", "0S").body(()).unwrap().into_parts().0;
    for asks in ["the first to ask", "the second"] {
        assert_eq!(
            Deadline::from_request_parts(&mut expired, &gate).await,
            Err(Rejected::Expired),
            "{asks} hears that the request is rejected"
        );
    }
    let malformed = Rejected::Malformed(WireError::grpc_timeout(b"soon"));
    assert_eq!(extract("grpc-timeout", "soon").await, Err(malformed), "this too");
    let in_half_an_hour = format_x_deadline(HALF_AN_HOUR, SystemTime::now());
    let absolute = extract("x-deadline", &in_half_an_hour).await.expect("it has time").remaining();
    assert!(
        HALF_AN_HOUR - 60 * SECOND < absolute && absolute <= HALF_AN_HOUR,
        "an absolute deadline is held against the clock on the wall, which is here: {absolute:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_has_one_deadline_for_all_who_ask() {
    let gate = gate(strict());
    let mut request =
        Request::get("/").header("grpc-timeout", "2S").body(()).unwrap().into_parts().0;

    let middleware = Deadline::from_request_parts(&mut request, &gate).await.expect("it has time");
    assert_eq!(
        request.extensions.get(),
        Some(&middleware),
        "it lies in the request's extensions for all that come after"
    );
    for (later, left) in [(1_500, SECOND / 2), (400, BUFFER), (101, Duration::ZERO)] {
        wait(later * MILLISECOND).await;
        let handler = Deadline::from_request_parts(&mut request, &gate).await;

        assert_eq!(
            handler,
            Ok(middleware),
            "{left:?} of the 2 s are left that a middleware was given: the time begins when the request comes in. It does not \
             start over for each that asks, not even when all of it has been spent"
        );
        assert_eq!(middleware.remaining(), left, "a check of the check");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_says_how_much_time_its_caller_gives_it() {
    let request = Deadline::after(2 * SECOND);
    let send = async |headers: HeaderMap| Ok::<_, Infallible>(timeout_of(&headers).to_owned());

    let whole = request.carry(10 * SECOND, BUFFER, send).await;
    let own = request.carry(SECOND, BUFFER, send).await;
    let nearly_all = request.carry(1_950 * MILLISECOND, BUFFER, send).await;
    wait(SECOND).await;
    let later = request.carry(10 * SECOND, BUFFER, send).await;
    wait(900 * MILLISECOND).await;
    let was_sent = Cell::new(false);
    let sent_too_late = |headers| {
        was_sent.set(true);
        send(headers)
    };
    let too_late = request.carry(10 * SECOND, BUFFER, sent_too_late).await;

    let short = Deadline::after(Duration::from_micros(900));
    let short = short.carry(10 * SECOND, Duration::ZERO, send).await;

    assert_eq!(whole.as_deref(), Ok("1900000u"), "what is left, less the buffer");
    assert_eq!(own.as_deref(), Ok("1000000u"), "the call's own budget, where that is less");
    assert_eq!(nearly_all.as_deref(), Ok("1900000u"), "a budget of 1.95 s leaves no buffer");
    assert_eq!(later.as_deref(), Ok("900000u"), "a second later there is a second less");
    assert_eq!(too_late, Err(RunError::Expired(Expired::NotStarted)), "only the buffer is left");
    assert!(!was_sent.get(), "nothing is sent then, and `send` is not even called");
    assert_eq!(short.as_deref(), Ok("900000n"), "less than a millisecond is not nothing");
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_hangs_leaves_its_caller_the_buffer() {
    let request = Deadline::after(2 * SECOND);

    let own = request.carry(SECOND, BUFFER, |_| pending::<Result<(), &str>>()).await;
    assert_eq!(own, Err(RunError::Expired(Expired::Cancelled)), "nobody has answered");
    assert_eq!(
        request.remaining(),
        SECOND,
        "a call with a budget of 1 s is waited for no longer: the rest is for another try"
    );
    let answer = request.carry(10 * SECOND, BUFFER, |_| pending::<Result<(), &str>>()).await;

    assert_eq!(answer, Err(RunError::Expired(Expired::Cancelled)), "nobody has answered");
    assert_eq!(
        request.remaining(),
        BUFFER,
        "a header is a request, and the callee may not know it: the caller ends the call itself, in time for an \
         answer of its own"
    );
    let request = Deadline::after(2 * SECOND);
    let answer_after = async |time: Duration, answer: Result<&'static str, &'static str>| {
        let answers = async |_| {
            sleep(time).await;
            answer
        };
        request.carry(SECOND, BUFFER, answers).await
    };
    let refused = answer_after(Duration::ZERO, Err("out of stock")).await;
    assert_eq!(refused, Err(RunError::Work("out of stock")), "a callee that answers has not hung");
    let at_the_last_moment = answer_after(SECOND, Ok("in stock")).await;
    assert_eq!(at_the_last_moment, Ok("in stock"), "a result counts, as for `run`");
}

/// Answers with the timeout that it was given, and those that the services behind it were given.
fn service(next: Option<SocketAddr>) -> Router {
    let handler = move |deadline: Deadline, headers: HeaderMap| async move {
        let given = timeout_of(&headers).to_owned();
        let Some(next) = next else { return Ok(given) };
        match deadline.carry(60 * SECOND, BUFFER, |headers| get(next, headers)).await {
            Ok((_, behind)) => Ok(format!("{given}\n{behind}")),
            Err(error) => Err((StatusCode::BAD_GATEWAY, error.to_string())),
        }
    };
    Router::new().route("/", on_get(handler)).with_state(gate(strict()))
}

#[tokio::test]
async fn through_three_services_the_time_gets_less_at_each() {
    let user = Deadline::after(20 * SECOND);
    let stock = serve(service(None)).await;
    let orders = serve(service(Some(stock))).await;
    let shop = serve(service(Some(orders))).await;

    let answer = user.carry(60 * SECOND, BUFFER, |headers| get(shop, headers)).await;

    let (status, given) = answer.expect("20 s are plenty on loopback");
    assert_eq!(status, StatusCode::OK, "the services answered: {given}");
    let given: Vec<Duration> =
        given.lines().map(|line| parse_grpc_timeout(line.as_bytes()).expect("a timeout")).collect();
    assert_eq!(given.len(), 3, "shop, orders, stock: {given:?}");
    assert!(given[0] <= 20 * SECOND - BUFFER, "the user keeps a buffer too: {given:?}");
    for pair in given.windows(2) {
        assert!(
            pair[1] + BUFFER <= pair[0],
            "a service that has {:?} asks for {:?}: less than it has, by the buffer at least",
            pair[0],
            pair[1]
        );
    }
}
