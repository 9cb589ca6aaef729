//! Three storms for a product page: three dependencies that fail each by itself, a database under five
//! parts that gets slow, and one that fails for a moment again and again.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use storm::{
    Dependency, Load, Model, Outage, OutageKind, Report, Scene, ServiceTime, StormError, Table,
};

use crate::page::{Backends, GAUGES, PARTS, PATIENCE, PROBES, Page, Policy, Tally, naive};
use crate::reference::shop::LANE;
use crate::{reference, yours};

pub const LENGTH: Duration = Duration::from_secs(180);
/// Which part fails by itself, how, and when.
pub const OUTAGES: [(&str, OutageKind, Range<Duration>); 3] = [
    ("recommendations", OutageKind::Hang, seconds(30, 90)),
    ("search", OutageKind::Refuse, seconds(50, 80)),
    ("inventory", OutageKind::Error, seconds(60, 100)),
];
const DATABASE: &str = "database";
/// How long a flapping database fails, and from one failure to the next.
const FLAP: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));
/// The database takes so many times as long.
const SLOWER: f64 = 5.0;

/// What fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Storm {
    /// Three dependencies, each by itself.
    Apart,
    /// The database that is under all parts but the recommendations gets slow.
    Together,
    /// The same database answers with errors for a moment, again and again.
    Flapping,
}

impl Storm {
    /// From the first failure to the end of the last.
    pub fn outage(self) -> Range<Duration> {
        match self {
            Self::Apart => seconds(30, 100),
            Self::Together => seconds(30, 90),
            Self::Flapping => seconds(30, 150),
        }
    }

    /// The dependencies that fail.
    fn fails(self) -> &'static [&'static str] {
        match self {
            Self::Apart => &["recommendations", "search", "inventory"],
            Self::Together | Self::Flapping => &[DATABASE],
        }
    }

    /// What the database goes through.
    fn database(self) -> Vec<Outage> {
        let Range { start, end } = self.outage();
        if self == Self::Together {
            return vec![Outage { from: start, to: end, kind: OutageKind::Slow(SLOWER) }];
        }
        let begins = (0..).map(|round| start + FLAP.1 * round).take_while(|from| *from < end);
        begins.map(|from| Outage { from, to: from + FLAP.0, kind: OutageKind::Error }).collect()
    }

    fn parts(self, scene: &Scene) -> [Dependency; 6] {
        if self == Self::Apart {
            return PARTS.map(|part| scene.dependency(part, &model(part)));
        }
        let mut model = Model::new(DATABASE_SERVERS, SERVICE).expect("the constants make sense");
        for outage in self.database() {
            model = model.with_outage(outage).expect("the constants make sense");
        }
        let database = scene.dependency(DATABASE, &model);
        let recommendations = scene.dependency("recommendations", &self::model(""));
        PARTS.map(|part| match part {
            "recommendations" => recommendations.clone(),
            _ => database.clone(),
        })
    }
}

const PAGES_PER_SECOND: f64 = 100.0;
const GOOD_WITHIN: Duration = Duration::from_millis(500);
const SERVERS: u32 = 10;
const DATABASE_SERVERS: u32 = 30;
const SERVICE: ServiceTime =
    ServiceTime::LogNormal { median: Duration::from_millis(20), p99: Duration::from_millis(60) };

const fn seconds(from: u64, to: u64) -> Range<Duration> {
    Duration::from_secs(from)..Duration::from_secs(to)
}

fn model(part: &str) -> Model {
    let mut model = Model::new(SERVERS, SERVICE).expect("the constants above make sense");
    for (name, kind, span) in OUTAGES {
        if name == part {
            let outage = Outage { from: span.start, to: span.end, kind };
            model = model.with_outage(outage).expect("the constants above make sense");
        }
    }
    model
}

/// One run.
pub fn run(storm: Storm, policy: Policy, dwell: Duration, seed: u64) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: PAGES_PER_SECOND,
        length: LENGTH,
        good_within: GOOD_WITHIN,
        seed,
        ..Load::default()
    };
    storm::run(policy.name(), &load, |scene| {
        let parts = storm.parts(scene);
        let quick = ServiceTime::Constant(Duration::from_millis(2));
        let cache = scene.dependency("cache", &Model::new(SERVERS, quick).expect("it makes sense"));
        let backends = Arc::new(Backends::new(parts, cache));
        let tally = Tally::default();
        for (index, name) in GAUGES.into_iter().enumerate() {
            let tally = tally.clone();
            scene.gauge(name, move || tally.take(index) as f64);
        }
        let with_levels = policy != Policy::Fallback;
        let reference = matches!(policy, Policy::Fallback | Policy::Levels)
            .then(|| Arc::new(reference::shop::Shop::new(with_levels, dwell, scene.timeline())));
        let yours = (policy == Policy::Yours)
            .then(|| Arc::new(yours::shop::Shop::new(with_levels, dwell, scene.timeline())));
        let shops = Arc::new((reference, yours));
        move |_request| {
            let (backends, tally, shops) =
                (Arc::clone(&backends), tally.clone(), Arc::clone(&shops));
            async move {
                let page: Page = match &*shops {
                    (Some(shop), _) => shop.page(&backends).await?,
                    (_, Some(shop)) => shop.page(&backends).await?,
                    (None, None) => naive(&backends).await?,
                };
                tally.add(&page);
                Ok(())
            }
        }
    })
}

pub fn table<'a>(storm: Storm, reports: impl IntoIterator<Item = &'a Report>) -> Table<'a> {
    Table::new(reports)
        .counts("pages asked for", |report| report.counts().offered)
        .counts("full pages", |report| total(report, "full"))
        .counts("degraded pages", |report| total(report, "degraded"))
        .counts("error pages", |report| report.counts().failed)
        .row("in the outage: fresh parts of a page, of 6", |report| {
            format!("{:.1}", each_page(storm, report, "fresh parts"))
        })
        .row("in the outage: pages with a fresh product, %", |report| products(storm, report))
        .row("in the outage: p99 of the time to a page, ms, mean of its seconds", |report| {
            p99(storm, report)
        })
        .counts("in the outage: calls reaching what fails", |report| reached(storm, report))
        .row("all pages full again after it, s", |report| recovery(storm, report))
        .counts("changes of the level", changes)
}

/// How often the level changed.
pub fn changes(report: &Report) -> u64 {
    let levels = report.marks().iter().filter(|mark| mark.lane == LANE).count();
    // The first mark is where it began.
    levels.saturating_sub(1) as u64
}

/// What a gauge counted in all.
pub fn total(report: &Report, gauge: &str) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    let total = report.gauge(gauge).iter().map(|(_, count)| count).sum::<f64>() as u64;
    total
}

/// What a gauge counted in the outage, for each page. An error page has nothing.
pub fn each_page(storm: Storm, report: &Report, gauge: &str) -> f64 {
    let within = |gauge: &str| -> f64 {
        let points = report.gauge(gauge);
        points.iter().filter(|(at, _)| inside(&storm.outage(), *at)).map(|(_, count)| count).sum()
    };
    let errors = report.counts_between(storm.outage()).failed as f64;
    within(gauge) / (within("full") + within("degraded") + errors)
}

/// The share of the pages of the outage that have a fresh product, in per cent.
pub fn products(storm: Storm, report: &Report) -> String {
    format!("{:.0}", 100.0 * each_page(storm, report, "fresh products"))
}

/// A gauge is read at the end of the second that it tells of.
fn inside(span: &Range<Duration>, at: f64) -> bool {
    at > span.start.as_secs_f64() && at <= span.end.as_secs_f64()
}

/// The p99 of the time to a page, in milliseconds: the mean of the seconds of the outage.
pub fn p99(storm: Storm, report: &Report) -> String {
    let p99s: Vec<f64> = report
        .seconds()
        .into_iter()
        .zip(0_u64..)
        .filter(|(_, second)| storm.outage().contains(&Duration::from_secs(*second)))
        .filter_map(|(second, _)| second.p99)
        .map(|p99| p99.as_secs_f64() * 1e3)
        .collect();
    format!("{:.0}", p99s.iter().sum::<f64>() / p99s.len() as f64)
}

/// Calls that reach what fails, in the outage.
pub fn reached(storm: Storm, report: &Report) -> u64 {
    let dependencies = storm.fails().iter().filter_map(|name| report.dependency(name));
    dependencies.map(|one| one.calls_between(storm.outage())).sum()
}

/// How many seconds after the outage the last second ended that had a page that was not full.
pub fn recovery(storm: Storm, report: &Report) -> String {
    let failed = report.seconds();
    let end = storm.outage().end.as_secs();
    let last = LENGTH.as_secs();
    let degraded = report.gauge("degraded");
    let bad = |second: u64| {
        let index = usize::try_from(second).unwrap_or(usize::MAX);
        failed.get(index).is_some_and(|second| second.counts.failed > 0)
            || degraded.get(index + 1).is_some_and(|(_, count)| *count > 0.0)
    };
    let after = (end..last).rev().find(|second| bad(*second)).map_or(0, |second| second + 1 - end);
    if end + after < last { after.to_string() } else { "not in this run".to_owned() }
}

pub fn parameters(storm: Storm, dwell: Duration, seed: u64) -> String {
    let from_to = |span: &Range<Duration>| {
        format!("from {} s to {} s", span.start.as_secs(), span.end.as_secs())
    };
    let outages = match storm {
        Storm::Apart => OUTAGES
            .map(|(name, kind, span)| {
                let how = match kind {
                    OutageKind::Hang => "hangs",
                    OutageKind::Refuse => "refuses",
                    OutageKind::Error => "answers with errors",
                    OutageKind::Slow(_) => "is slow",
                };
                format!("{name} {how} {}", from_to(&span))
            })
            .join("; "),
        Storm::Together => format!(
            "All parts but the recommendations are behind one database, which takes {SLOWER} times as long \
             {}",
            from_to(&storm.outage())
        ),
        Storm::Flapping => format!(
            "All parts but the recommendations are behind one database, which answers with errors for {} s \
             every {} s {}",
            FLAP.0.as_secs(),
            FLAP.1.as_secs(),
            from_to(&storm.outage())
        ),
    };
    format!(
        "{PAGES_PER_SECOND} pages/s for {} s of virtual time, each of {} parts, for which it waits {} ms at \
         most. {outages}. The level has the default limits and a dwell of {} s; {PROBES} probes a second \
         ask for each part, whatever the level. Seed {seed}.",
        LENGTH.as_secs(),
        PARTS.len(),
        PATIENCE.as_millis(),
        dwell.as_secs(),
    )
}
