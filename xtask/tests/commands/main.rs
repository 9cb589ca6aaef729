//! The commands, run as a reader runs them, against small workbooks of their own.

#![allow(clippy::format_push_string, reason = "`+= &format!` reads best")]

mod careless;
mod cheats;
mod check;
mod game;
#[cfg(target_os = "linux")]
mod grade;
mod new;
mod reader;
mod verify;
mod workbook;
