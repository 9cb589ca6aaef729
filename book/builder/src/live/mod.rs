//! The live book: a server on loopback whose pages show what the reader's code does.
//!
//! Beside the pages it has, below [`DOOR`]:
//!
//! | | |
//! |---|---|
//! | `GET session` | what a page needs to know: a token, the exercises, where the workbook is |
//! | `GET events` | server-sent events: the verdicts of `verify`, and that the book was rebuilt |
//! | `GET lab/{name}` | a lab's scenes and knobs |
//! | `POST run` | one run of a lab, with the knobs of the page |
//! | `POST play` | what is seen of a lab's toy after some actions |
//! | `GET gameday` | the last play of each experiment, as HTML that the harness has written |
//!
//! A request names an exercise, a lab or a knob, never a path or a command, and [`doors`] says who may ask.

mod doors;
mod labs;
mod rebuild;
mod session;
mod verdicts;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{convert::Infallible, io};

use anyhow::{Context, Result, anyhow};
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};
use tower_http::services::ServeDir;

use crate::open;
use doors::Doors;
use labs::{Labs, Play, Run};
use verdicts::Verdicts;

/// What the pages ask for, apart from the files of the book.
pub const DOOR: &str = "/__live";

/// What to serve, and with what.
pub struct Options {
    pub root: PathBuf,
    /// The program of `cargo xtask`, which verifies and builds labs. Without it the pages are as in a book.
    pub xtask: Option<PathBuf>,
    /// Where the report of the last play is, if there was one: HTML.
    pub gameday: Option<PathBuf>,
    /// 0 takes any free port.
    pub port: u16,
    /// A page to open in the browser, `circuit-breaker/trip`; empty for the first.
    pub open: Option<String>,
}

/// Serves the book on 127.0.0.1 until Ctrl-C. If it is served there already, opens the page and returns.
pub fn serve(options: &Options) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await {
            Ok(listener) => listener,
            Err(error) => return elsewhere(options, &error),
        };
        // It builds into a folder of its own: `book/book` stays as `cargo xtask book --static` left it.
        let out = tempfile::tempdir()?;
        rebuild::build(&options.root, out.path())?;
        let address = listener.local_addr()?;
        let live = Live::begin(options, address, out.path())?;
        println!("the book is at http://{address}/ until Ctrl-C");
        if let Some(page) = &options.open {
            show(out.path(), address, page)?;
        }
        tokio::select! {
            served = async { axum::serve(listener, router(live, out.path())).await } => served?,
            stop = tokio::signal::ctrl_c() => stop?,
            stop = told_to_end() => stop?,
        }
        Ok(())
    })
}

/// A terminal that is closed, or a `kill`: the book ends as on Ctrl-C, and leaves nothing behind.
async fn told_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut hangup) =
            (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        tokio::select! { _ = terminate.recv() => {}, _ = hangup.recv() => {} }
        Ok(())
    }
    #[cfg(not(unix))]
    std::future::pending().await
}

/// The port is taken: by this very book, or by something else.
fn elsewhere(options: &Options, error: &io::Error) -> Result<()> {
    let port = options.port;
    if error.kind() != ErrorKind::AddrInUse {
        return Err(anyhow!("cannot listen on 127.0.0.1:{port}: {error}"));
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if session::root_at(address).is_some_and(|root| root == options.root) {
        println!("the book is at http://{address}/ already");
        let out = tempfile::tempdir()?;
        return match &options.open {
            Some(page) => {
                rebuild::build(&options.root, out.path())?;
                show(out.path(), address, page)
            }
            None => Ok(()),
        };
    }
    Err(anyhow!(
        "port {port} is in use: stop what listens there, or choose another: `cargo xtask book --port PORT`"
    ))
}

fn show(out: &Path, address: SocketAddr, page: &str) -> Result<()> {
    let url = format!("http://{address}/{}", open::page(out, page)?);
    opener::open_browser(&url).with_context(|| format!("no browser opened: open {url} yourself"))
}

/// All that the handlers share.
struct Live {
    root: PathBuf,
    doors: Doors,
    verdicts: watch::Receiver<Arc<str>>,
    labs: Labs,
    gameday: Option<PathBuf>,
    // While it lives, files are watched.
    _verdicts: Verdicts,
}

impl Live {
    fn begin(options: &Options, address: SocketAddr, out: &Path) -> Result<Arc<Self>> {
        let labs = Labs::new(options.root.clone(), options.xtask.clone());
        let verdicts = Verdicts::begin(options, out, labs.changes())?;
        Ok(Arc::new(Self {
            root: options.root.clone(),
            doors: Doors::new(address),
            verdicts: verdicts.states(),
            labs,
            gameday: options.gameday.clone(),
            _verdicts: verdicts,
        }))
    }
}

fn router(live: Arc<Live>, out: &Path) -> Router {
    let asked = Router::new()
        .route("/session", get(session))
        .route("/events", get(events))
        .route("/lab/{name}", get(lab))
        .route("/run", post(run))
        .route("/play", post(play))
        .route("/gameday", get(last_play))
        .with_state(Arc::clone(&live));
    Router::new().nest(DOOR, asked).fallback_service(ServeDir::new(out)).layer(
        middleware::from_fn_with_state(
            live,
            |State(live): State<Arc<Live>>, request, next| async move {
                doors::check(&live.doors, request, next).await
            },
        ),
    )
}

/// What went wrong, for the page to show.
type Refusal = (StatusCode, String);

fn refuse(error: &anyhow::Error) -> Refusal {
    (StatusCode::UNPROCESSABLE_ENTITY, format!("{error:#}"))
}

async fn session(State(live): State<Arc<Live>>) -> Result<Json<Value>, Refusal> {
    session::describe(&live.root, live.doors.token()).map(Json).map_err(|error| refuse(&error))
}

async fn events(
    State(live): State<Arc<Live>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let states = WatchStream::new(live.verdicts.clone());
    Sse::new(states.map(|state| Ok(Event::default().data(&*state))))
        .keep_alive(KeepAlive::default())
}

async fn lab(
    State(live): State<Arc<Live>>,
    UrlPath(name): UrlPath<String>,
) -> Result<Json<Value>, Refusal> {
    live.labs.describe(&name).await.map(Json).map_err(|error| refuse(&error))
}

async fn last_play(State(live): State<Arc<Live>>) -> Result<Html<String>, Refusal> {
    let report = live.gameday.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    report.map(Html).ok_or((StatusCode::NOT_FOUND, "nothing has been played yet".to_owned()))
}

async fn run(State(live): State<Arc<Live>>, Json(run): Json<Run>) -> Result<Json<Value>, Refusal> {
    live.labs.run(&run).await.map(Json).map_err(|error| refuse(&error))
}

async fn play(
    State(live): State<Arc<Live>>,
    Json(play): Json<Play>,
) -> Result<Json<Value>, Refusal> {
    live.labs.play(&play).await.map(Json).map_err(|error| refuse(&error))
}
