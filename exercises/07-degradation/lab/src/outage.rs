//! Three storms for a product page: three dependencies that fail each by itself, a database under five
//! parts that gets slow, and one that fails for a moment again and again.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use lab_kit::{Runs, Values, Whose};
use storm::{Dependency, Load, Model, Outage, OutageKind, Report, Scene, ServiceTime, StormError};

use crate::page::{self, Backends, GAUGES, PARTS, PATIENCE, PROBES, Setting, Shop, Tally};
use crate::reference;
use crate::scenes::DWELL;
#[cfg(feature = "yours")]
use crate::yours;

pub const LENGTH: Duration = Duration::from_secs(180);
/// Which part fails by itself, how, and when.
const OUTAGES: [(&str, OutageKind, Range<Duration>); 3] = [
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

    /// What its figure is called, and its title.
    pub fn figure(self) -> (&'static str, &'static str) {
        match self {
            Self::Apart => ("degradation-outage", "A product page through three outages"),
            Self::Together => ("degradation-together", "A product page over a slow database"),
            Self::Flapping => ("degradation-flapping", "A product page over a flapping database"),
        }
    }

    /// What the figure shades.
    pub fn spans(self) -> Vec<(&'static str, Range<Duration>)> {
        match self {
            Self::Apart => OUTAGES.map(|(name, _, span)| (name, span)).into(),
            Self::Together => vec![("slow", self.outage())],
            Self::Flapping => vec![("flapping", self.outage())],
        }
    }

    /// The dependencies that fail.
    pub fn fails(self) -> &'static [&'static str] {
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

type MakeShop = fn(Setting) -> Shop;

/// Without fallbacks, with fallbacks alone, and with levels: yours and the reference's.
const SHOPS: &[(Whose, &str, MakeShop)] = &[
    (Whose::Naive, "naive", page::naive),
    (Whose::Reference, FALLBACK, |setting| reference::shop::shop(setting, false)),
    #[cfg(feature = "yours")]
    (Whose::Yours, "yours", |setting| yours::shop::shop(setting, true)),
    (Whose::Reference, LEVELS, |setting| reference::shop::shop(setting, true)),
];
const FALLBACK: &str = "fallback";
pub const LEVELS: &str = "levels";

pub fn runs(storm: Storm, values: &Values) -> anyhow::Result<Runs<Report>> {
    Runs::of(values, SHOPS.iter().copied(), |name, shop| one(storm, name, shop, values))
}

/// The reference with levels alone.
pub fn levels(storm: Storm, values: &Values) -> Result<Report, StormError> {
    one(storm, LEVELS, |setting| reference::shop::shop(setting, true), values)
}

fn one(storm: Storm, name: &str, shop: MakeShop, values: &Values) -> Result<Report, StormError> {
    let load = Load {
        rate_per_second: PAGES_PER_SECOND,
        length: LENGTH,
        good_within: GOOD_WITHIN,
        seed: values.seed(),
        ..Load::default()
    };
    storm::run(name, &load, |scene| {
        let parts = storm.parts(scene);
        let quick = ServiceTime::Constant(Duration::from_millis(2));
        let cache = scene.dependency("cache", &Model::new(SERVERS, quick).expect("it makes sense"));
        let tally = Tally::default();
        for (index, name) in GAUGES.into_iter().enumerate() {
            let tally = tally.clone();
            scene.gauge(name, move || tally.take(index) as f64);
        }
        let shop = shop(Setting {
            backends: Arc::new(Backends::new(parts, cache)),
            dwell: values.seconds(&DWELL),
            timeline: scene.timeline(),
        });
        move |_request| {
            let (page, tally) = (shop(), tally.clone());
            async move {
                tally.add(&page.await?);
                Ok(())
            }
        }
    })
}

pub fn parameters(storm: Storm, values: &Values) -> String {
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
         most. {outages}. The level has the default limits and a dwell of {}; {PROBES} probes a second \
         ask for each part, whatever the level. Seed {}.",
        LENGTH.as_secs(),
        PARTS.len(),
        PATIENCE.as_millis(),
        values.show(&DWELL),
        values.seed(),
    )
}
