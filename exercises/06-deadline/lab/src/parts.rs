//! The parts of the pattern, as the trials use them.

use super::carried;
use super::subject::{
    Chain, Deadline, Gate, Limits, Link, format_grpc_timeout, format_x_deadline,
    parse_grpc_timeout, parse_x_deadline,
};
use crate::code::{Code, Planned};

pub const CODE: Code = Code {
    write_relative: format_grpc_timeout,
    read_relative: |value| parse_grpc_timeout(value).ok(),
    write_absolute: format_x_deadline,
    read_absolute: |value, now| parse_x_deadline(value, now).ok(),
    gate: || {
        let gate = Gate::new(Limits::default()).expect("the defaults are valid");
        Box::new(move |headers, wall| gate.admit(headers, wall).is_ok())
    },
    requests: carried::requests,
    blocking: |budget, work| {
        Box::pin(async move {
            let ends = Deadline::after(budget).run_blocking(move |checkpoint| {
                work(&|| checkpoint.check().is_ok());
                Ok(())
            });
            // That the time was over is no news here.
            let _ = ends.await;
        })
    },
    audit: |links| {
        let links = links.iter().enumerate().map(|(place, link)| {
            let Planned { timeout, tries, backoff, overhead } = *link;
            Link { name: place.to_string(), timeout, tries, backoff, overhead }
        });
        let violations = Chain::new(links.collect()).expect("a chain").audit();
        let place = |name: &str| name.parse().expect("a place");
        violations.iter().map(|violation| (place(&violation.outer), violation.needs)).collect()
    },
};
