//! The figures and tables of the chapter, from runs without hedging and with the reference.

use anyhow::Context as _;
use lab_kit::{Figures, Values, rounded, well_after};

use crate::{overload, slow, tail};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    tail(&values.scene(&tail::SCENE), figures)?;
    slow(&values.scene(&slow::SCENE), figures)?;
    overload(&values.scene(&overload::SCENE), figures)
}

fn tail(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = tail::runs(values)?;
    figures.table("hedging-tail.md", &tail::table(&runs), &tail::parameters(values))?;
    let [once, percentile, fixed] =
        [tail::ONCE, tail::PERCENTILE, tail::AFTER_FIXED].map(|name| runs.get(name).context(name));
    let (once, percentile, fixed) = (once?, percentile?, fixed?);
    let description = format!(
        "How long half of all pages take at least, in milliseconds, on a logarithmic scale, over the number of calls that a page needs, \
         1 to 100. Sent once, it is {} ms for one call, {} for 50, and {} for 100: it jumps where half of the pages have a slow call. \
         With hedges it stays low: {} ms for 100 calls by percentile, {} after 20 ms. {}",
        rounded(once.page(1, 0.5)),
        rounded(once.page(50, 0.5)),
        rounded(once.page(100, 0.5)),
        rounded(percentile.page(100, 0.5)),
        rounded(fixed.page(100, 0.5)),
        tail::parameters(values),
    );
    let chart = tail::chart(&runs, values).description(&description);
    figures.write("hedging-tail.svg", &chart.svg())?;
    let numbers = [
        ("once", rounded(once.page(1, 0.999))),
        ("percentile", rounded(percentile.page(1, 0.999))),
        ("fixed", rounded(fixed.page(1, 0.999))),
        ("percentile-more", format!("{:.1}", percentile.more_requests())),
        ("fixed-more", format!("{:.1}", fixed.more_requests())),
        ("once-page", rounded(once.page(100, 0.5))),
        ("percentile-page", rounded(percentile.page(100, 0.5))),
        ("once-median", rounded(once.page(1, 0.5))),
    ];
    Ok(figures.numbers("hedging-tail.txt", numbers)?)
}

fn slow(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = slow::runs(values)?;
    figures.table("hedging-slow.md", &slow::table(&runs), &slow::parameters(values))?;
    let names = [
        ("once", slow::ONCE),
        ("percentile", slow::PERCENTILE),
        ("fixed", slow::AFTER_FIXED),
        ("paid", slow::PAID),
    ];
    let mut numbers = Vec::new();
    for (key, name) in names {
        let run = runs.get(name).context(name)?;
        numbers.push((key.to_owned(), format!("{:.0}", slow::good_while_slow(run))));
        numbers.push((format!("{key}-more"), format!("{:.0}", slow::more_requests(run))));
    }
    let at = |key: &str| numbers.iter().find(|(its, _)| its == key).map_or("", |(_, value)| value);
    let description = format!(
        "Two panels over 60 s of virtual time; instance 1 is slow from 20 s to 40 s. Above, the good answers a second. In the slow time, of \
         all calls {} % are good if they are sent once, {} % with hedges by percentile, {} % with hedges after 40 ms, {} % if these are at most \
         10 %. Below, the requests to all instances: 300 a second, and in the slow time {} %, {} % and {} % more. {}",
        at("once"),
        at("percentile"),
        at("fixed"),
        at("paid"),
        at("percentile-more"),
        at("fixed-more"),
        at("paid-more"),
        slow::parameters(values),
    );
    let chart = slow::chart(&runs, values).description(&description);
    figures.write("hedging-slow.svg", &chart.svg())?;
    Ok(figures.numbers("hedging-slow.txt", numbers)?)
}

fn overload(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = overload::runs(values)?;
    figures.table("hedging-overload.md", &overload::table(&runs), &overload::parameters(values))?;
    let names = [
        ("once", overload::ONCE),
        ("unpaid", overload::UNPAID),
        ("paid", overload::PAID),
        ("percentile", overload::PERCENTILE),
    ];
    let mut numbers = Vec::new();
    for (key, name) in names {
        let run = runs.get(name).context(name)?;
        numbers.push((key.to_owned(), well_after(&run.report, overload::SLOW.end)));
        numbers.push((format!("{key}-good"), format!("{:.0}", run.good_after())));
        numbers.push((format!("{key}-more"), format!("{:.0}", run.more_requests())));
    }
    let at = |key: &str| numbers.iter().find(|(its, _)| its == key).map_or("", |(_, value)| value);
    let description = format!(
        "Two panels over 60 s of virtual time; the dependency is slow from 10 s to 20 s. Above, the good answers a second; after the slow \
         time {} % of all calls are good if they are sent once, {} % with hedges after 100 ms, {} % if these are paid for, {} % with hedges by percentile. Below, \
         the requests that reach the dependency: with hedges that nobody pays for they stay near twice the load. {}",
        at("once-good"),
        at("unpaid-good"),
        at("paid-good"),
        at("percentile-good"),
        overload::parameters(values),
    );
    let chart = overload::chart(&runs, values).description(&description);
    figures.write("hedging-overload.svg", &chart.svg())?;
    Ok(figures.numbers("hedging-overload.txt", numbers)?)
}
