// What a shop can do without, as data. Given: nothing to write here.

use crate::Level;

/// How a feature works at a level. A greater mode is a worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// As it was meant: its dependency is called.
    Full,
    /// A lesser answer: its dependency is left alone.
    Reduced,
    /// Not there.
    Off,
}

/// A row of the table: a feature, and its mode at each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// The name by which code asks for it.
    pub name: &'static str,
    /// The modes at [`Level::ALL`], in that order.
    pub modes: [Mode; 4],
    /// What the user is told when an answer isn't fresh, or there is none.
    pub notice: &'static str,
}

/// A table that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two rows for one name: which of them counts?
    #[error("the feature \"{0}\" has two rows: keep one")]
    Twice(&'static str),
    /// A feature that comes back as things get worse.
    #[error(
        "the feature \"{name}\" is better at {worse} than at the level before: order its modes"
    )]
    Improves {
        /// The feature.
        name: &'static str,
        /// The first level at which it is better than at the level before.
        worse: Level,
    },
}

use Mode::{Full, Off, Reduced};

/// The table of a shop.
#[rustfmt::skip]
// ANCHOR: shop
pub const SHOP: [Feature; 8] = [
    //                          normal   degraded minimal  emergency
    feature("catalogue",       [Full,    Full,    Full,    Reduced],
        "This page may be some minutes old."),
    feature("checkout",        [Full,    Full,    Full,    Off],
        "Orders are not possible at the moment. Your basket is kept."),
    feature("sign-in",         [Full,    Full,    Reduced, Off],
        "New sign-ins are not possible now. Who is signed in stays so."),
    feature("search",          [Full,    Reduced, Reduced, Off],
        "Search is temporarily simplified."),
    feature("inventory",       [Full,    Reduced, Reduced, Off],
        "The stock shown may be out of date. We confirm it with your order."),
    feature("pricing",         [Full,    Reduced, Reduced, Off],
        "Prices are those of our list. Offers return soon."),
    feature("reviews",         [Full,    Reduced, Off,     Off],
        "Reviews can be read, and not written at the moment."),
    feature("recommendations", [Full,    Reduced, Off,     Off],
        "These are popular items, not chosen for you."),
];
// ANCHOR_END: shop

const fn feature(name: &'static str, modes: [Mode; 4], notice: &'static str) -> Feature {
    Feature { name, modes, notice }
}
