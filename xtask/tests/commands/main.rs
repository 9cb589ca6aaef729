//! The commands, run as a reader runs them, against small workbooks of their own.

#![allow(clippy::format_push_string, reason = "`+= &format!` reads best")]

mod check;
<<<<<<< HEAD
mod game;
=======
mod new;
>>>>>>> bfbbc87 (cargo xtask new: a draft of an exercise that check accepts; the lists of exercises come from their exercise.toml)
mod reader;
mod verify;
mod workbook;
