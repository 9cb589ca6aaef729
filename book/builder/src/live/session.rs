//! What a page needs to know of the workbook.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use workbook::{Exercise, Workbook};

use super::DOOR;

/// The exercises with their steps, where each of them is explained, and the file to open.
pub fn describe(root: &Path, token: &str) -> Result<Value> {
    let exercises = Workbook::at(root).exercises()?;
    let exercises: Vec<Value> = exercises.iter().map(exercise).collect();
    Ok(json!({ "token": token, "root": root, "exercises": exercises }))
}

fn exercise(exercise: &Exercise) -> Value {
    let steps = exercise.steps.iter().map(|step| {
        json!({ "id": step.id, "number": step.number, "title": step.title, "page": format!("{}.html", exercise.page(Some(step))) })
    });
    json!({
        "id": exercise.id,
        "title": exercise.title,
        "page": format!("{}.html", exercise.page(None)),
        "source": format!("exercises/{}/src/lib.rs", exercise.folder),
        "steps": steps.collect::<Vec<_>>(),
    })
}

/// The workbook whose book is served at `address`, if one is.
pub fn root_at(address: SocketAddr) -> Option<PathBuf> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {DOOR}/session HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(1 << 20).read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let session: Value = serde_json::from_str(body).ok()?;
    session["root"].as_str().map(PathBuf::from)
}
