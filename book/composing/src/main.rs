//! The lab of the chapter on composing: the same layers in several orders, through the same outage,
//! in virtual time.

mod figures;
#[cfg(test)]
mod in_order;
mod order;
mod orders;
mod outage;
mod scenes;
mod stack;

use std::process::ExitCode;

use lab_kit::Lab;

use orders::QUESTIONS;
use scenes::scene;

static LAB: Lab = Lab {
    name: "composing",
    about: "The patterns in several orders, through one outage",
    scenes: &[
        &scenes::FIGURE,
        &scene(&QUESTIONS[0]),
        &scene(&QUESTIONS[1]),
        &scene(&QUESTIONS[2]),
        &scene(&QUESTIONS[3]),
        &scene(&QUESTIONS[4]),
        &scene(&QUESTIONS[5]),
        &scene(&QUESTIONS[6]),
        &scene(&QUESTIONS[7]),
        &scene(&QUESTIONS[8]),
    ],
    figures: Some(figures::write),
    toys: &[&order::TOY],
};

fn main() -> ExitCode {
    lab_kit::main(&LAB)
}
