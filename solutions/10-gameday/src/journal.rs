//! The journal of orders: a file with a line for each change, on disk before anybody is told of it.
//!
//! A line is the CRC-32 of what follows, a space, and the record in JSON. A crash can leave the last line
//! incomplete, and a full disk too: it is cut off, when the file is opened or at once, so that the next
//! record begins where a line begins. A line that does not match its sum is skipped, and told.
//!
//! One thread writes. What comes while it waits for the disk goes with the next write: a hundred orders
//! at the same time cost a few `fsync`, not two hundred.
//!
//! The file only grows. A shop with more orders begins a new one now and then, with what is still pending.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// Records that may wait for the disk. Who comes later waits to be among them.
const WAITING: usize = 256;

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The order's key.
    pub order: String,
    /// What it costs.
    pub amount_cents: u32,
    /// Where it is.
    pub state: State,
}

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its payment is begun, and its outcome not known.
    Pending,
    /// Paid.
    Paid,
    /// Declined by payments, for good.
    Refused,
    /// Given up before anything was charged. The same key may try again.
    Released,
}

/// The record is not on disk, and won't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal can't be written: {0}")]
pub struct NotWritten(String);

/// Where the lines go: a file, or a test's idea of one.
pub trait Disk: Send + 'static {
    /// Writes at the end.
    ///
    /// # Errors
    /// When not all was written. A part of it may have been.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when all that was written would survive a power cut.
    ///
    /// # Errors
    /// When it may not.
    fn sync(&mut self) -> io::Result<()>;

    /// Forgets what is behind the first so many bytes.
    ///
    /// # Errors
    /// When it is still there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A handle on the thread that writes; the thread ends with the last.
#[derive(Debug, Clone)]
pub struct Journal {
    to_write: mpsc::Sender<Append>,
}

#[derive(Debug)]
struct Append {
    line: Vec<u8>,
    done: oneshot::Sender<Result<(), NotWritten>>,
}

impl Journal {
    /// Opens the journal in this folder, and reads what is in it, oldest first.
    ///
    /// # Errors
    /// When the folder can't be made, or the file can't be read or cut.
    pub fn open(folder: &Path) -> io::Result<(Self, Vec<Record>)> {
        fs::create_dir_all(folder)?;
        let path = folder.join("orders.journal");
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        // On Unix a new file's name is on disk when its folder is; elsewhere a folder can't be opened.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Self::on(file, &fs::read(&path)?)
    }

    /// A journal on `disk`, where `content` is.
    ///
    /// # Errors
    /// When the incomplete line at its end can't be cut off.
    pub fn on(mut disk: impl Disk, content: &[u8]) -> io::Result<(Self, Vec<Record>)> {
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < content.len() {
            disk.cut(whole as u64)?;
            disk.sync()?;
        }
        let lines = content[..whole].split_inclusive(|byte| *byte == b'\n');
        let records = lines.filter_map(|line| {
            let record = read(line);
            if record.is_none() {
                eprintln!("journal: skipped a damaged line: {}", line.escape_ascii());
            }
            record
        });
        let records = records.collect();
        let (to_write, inbox) = mpsc::channel(WAITING);
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_until_closed(disk, whole as u64, inbox))?;
        Ok((Self { to_write }, records))
    }

    /// Returns when the record is on disk. Cancellation: the record may be written all the same.
    ///
    /// # Errors
    /// When it is not on disk, and won't be.
    pub async fn append(&self, record: &Record) -> Result<(), NotWritten> {
        let (done, written) = oneshot::channel();
        let gone = || NotWritten("its thread has ended".to_owned());
        let append = Append { line: line(record), done };
        self.to_write.send(append).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }
}

fn line(record: &Record) -> Vec<u8> {
    let json = serde_json::to_string(record).expect("strings and numbers are JSON");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
}

fn read(line: &[u8]) -> Option<Record> {
    let (sum, json) = str::from_utf8(line).ok()?.trim_end_matches('\n').split_once(' ')?;
    let sum = u32::from_str_radix(sum, 16).ok()?;
    (sum == crc32fast::hash(json.as_bytes())).then(|| serde_json::from_str(json).ok())?
}

// ANCHOR: write
fn write_until_closed(mut disk: impl Disk, mut length: u64, mut inbox: mpsc::Receiver<Append>) {
    let mut is_torn = false;
    while let Some(first) = inbox.blocking_recv() {
        let mut batch = vec![first];
        while let Ok(next) = inbox.try_recv() {
            batch.push(next);
        }
        let lines: Vec<u8> = batch.iter().flat_map(|append| append.line.iter().copied()).collect();
        // After a half-written record nothing may follow but another try to cut it off.
        let ready = if is_torn { disk.cut(length) } else { Ok(()) };
        let written = ready.and_then(|()| disk.append(&lines)).and_then(|()| disk.sync());
        match &written {
            Ok(()) => {
                length += lines.len() as u64;
                is_torn = false;
            }
            Err(_) => is_torn = disk.cut(length).is_err(),
        }
        for append in batch {
            let outcome = written.as_ref().map_err(|error| NotWritten(error.to_string()));
            // Nobody may be waiting any more.
            let _ = append.done.send(outcome.copied());
        }
    }
}
// ANCHOR_END: write
