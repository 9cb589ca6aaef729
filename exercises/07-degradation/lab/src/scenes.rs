//! The storms as scenes.

use lab_kit::{Knob, Needs, Scene, Shown, Values};

use crate::outage::{self, Storm};
use crate::show::{chart, table};
use crate::trials;

pub const DWELL: Knob = Knob::number(
    "dwell",
    "How long must it have been better before the level goes one step up?",
    0..=86_400,
    10,
    "s",
)
.at(&[0, 1, 2, 5, 10, 20, 30, 45, 60, 120, 600, 86_400]);

pub static SCENES: [&Scene; 4] = [&APART, &TOGETHER, &FLAPPING, &trials::SCENE];

static APART: Scene = scene(
    "apart",
    "Three dependencies that fail, each by itself",
    &["degradation-outage"],
    |values| outage::parameters(Storm::Apart, values),
    |values| show(Storm::Apart, values),
);
static TOGETHER: Scene = scene(
    "together",
    "A database under five parts that gets slow",
    &["degradation-together"],
    |values| outage::parameters(Storm::Together, values),
    |values| show(Storm::Together, values),
);
static FLAPPING: Scene = scene(
    "flapping",
    "The same database answers with errors for a moment, again and again",
    &["degradation-flapping"],
    |values| outage::parameters(Storm::Flapping, values),
    |values| show(Storm::Flapping, values),
);

const fn scene(
    name: &'static str,
    about: &'static str,
    figures: &'static [&'static str],
    parameters: fn(&Values) -> String,
    run: fn(&Values) -> anyhow::Result<Shown>,
) -> Scene {
    let text = "The storms need all that a page uses (step 6).";
    let needs = Some(Needs { step: 6, text });
    Scene { name, about, knobs: &[DWELL], figures, needs, parameters, run }
}

fn show(storm: Storm, values: &Values) -> anyhow::Result<Shown> {
    let runs = outage::runs(storm, values)?;
    Ok(Shown::new(&runs, table(storm, &runs)).chart(chart(storm, &runs, values)))
}
