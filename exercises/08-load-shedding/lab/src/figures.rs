//! The figures and tables of the chapter, from runs without the reader's code.

use anyhow::Context as _;
use lab_kit::{Figures, Values};

use crate::{classes, overload, recovery, slow, throttle};

pub fn write(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    overload(&values.scene(&overload::SCENE), figures)?;
    recovery(&values.scene(&recovery::SCENE), figures)?;
    classes(&values.scene(&classes::SCENE), figures)?;
    slow(&values.scene(&slow::SCENE), figures)?;
    throttle(&values.scene(&throttle::SCENE), figures)
}

fn overload(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = overload::runs(values, &overload::TIMES)?;
    let below = overload::parameters(values);
    figures.table("load-shedding-overload.md", &overload::table(&runs), &below)?;
    figures.write("load-shedding-overload.svg", &overload::chart(&runs, values).svg())?;
    let at = |name: &str, times: f64| -> anyhow::Result<String> {
        let line = runs.get(name).context("a run of that name")?;
        let found = line.iter().find(|(its, _)| (its - times).abs() < 1e-9);
        Ok(format!("{:.0}", found.context("a load of that size")?.1))
    };
    let left = |times, cost| format!("{:.0}", 100.0 * overload::left_after_refusals(times, cost));
    let numbers = [
        ("none-below", at(overload::NO_LIMIT, 0.8)?),
        ("none-above", at(overload::NO_LIMIT, 1.2)?),
        ("none-2", at(overload::NO_LIMIT, 2.0)?),
        ("first-2", at(overload::FIRST, 2.0)?),
        ("newest-2", at(overload::NEWEST, 2.0)?),
        ("newest-10", at(overload::NEWEST, 10.0)?),
        ("age-2", at(overload::AGE, 2.0)?),
        ("age-10", at(overload::AGE, 10.0)?),
        ("adaptive-10", at(overload::ADAPTIVE, 10.0)?),
        ("left-1", left(10.0, 0.01)),
        ("left-5", left(10.0, 0.05)),
        ("left-10", left(10.0, 0.1)),
    ];
    Ok(figures.numbers("load-shedding-overload.txt", numbers)?)
}

fn recovery(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = recovery::runs(values)?;
    let below = recovery::parameters(values);
    figures.table("load-shedding-recovery.md", &recovery::table(&runs), &below)?;
    figures.write("load-shedding-recovery.svg", &recovery::chart(&runs, values).svg())?;
    let of = |name| runs.get(name).context("a run of that name");
    let good = |report| format!("{:.0}", 100.0 * recovery::good_afterwards(report));
    let numbers = [
        ("first", recovery::well_after(of(recovery::FIRST)?)),
        ("expired", recovery::quick_after(of(recovery::EXPIRED)?)),
        ("newest", good(of(recovery::NEWEST)?)),
        ("age", good(of(recovery::AGE)?)),
    ];
    Ok(figures.numbers("load-shedding-recovery.txt", numbers)?)
}

fn classes(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = classes::runs(values)?;
    let below = classes::parameters(values);
    figures.table("load-shedding-classes.md", &classes::table(&runs), &below)?;
    let of = |name| runs.get(name).context("a run of that name");
    let (one, four) = (of("one class")?, of("four classes")?);
    let numbers = [
        ("one-0", classes::percent(one[0])),
        ("four-0", classes::percent(four[0])),
        ("four-1", classes::percent(four[1])),
        ("four-3", classes::percent(four[3])),
    ];
    Ok(figures.numbers("load-shedding-classes.txt", numbers)?)
}

fn slow(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = slow::runs(values)?;
    figures.table("load-shedding-slow.md", &slow::table(&runs), &slow::parameters(values))?;
    figures.write("load-shedding-slow.svg", &slow::chart(&runs, values).svg())?;
    let names = [
        ("none", slow::NO_LIMIT),
        ("fixed", slow::FIXED),
        ("aimd", slow::AIMD),
        ("gradient", slow::GRADIENT),
    ];
    let good = names.into_iter().filter_map(|(name, run)| {
        Some((name, format!("{:.0}", slow::good_while_slow(runs.get(run)?))))
    });
    Ok(figures.numbers("load-shedding-slow.txt", good)?)
}

fn throttle(values: &Values, figures: &Figures) -> anyhow::Result<()> {
    let runs = throttle::runs(values)?;
    let below = throttle::parameters(values);
    Ok(figures.table("load-shedding-throttle.md", &throttle::table(&runs), &below)?)
}
