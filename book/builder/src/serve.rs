//! Serves the book on loopback and builds it anew when its sources change.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use notify::{RecursiveMode, Watcher};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::services::ServeDir;

use crate::render::{Rendered, render};

/// The websocket that mdBook's pages listen on.
const LIVE_RELOAD: &str = "__livereload";

/// Editors save in several steps: a build waits until they have been silent for this long.
const SILENCE: Duration = Duration::from_millis(100);

/// Serves the book of the workbook at `root` on 127.0.0.1 until Ctrl-C. Port 0 takes any free one.
///
/// It builds into a temporary folder: `book/book` stays as `build` left it.
pub fn serve(root: &Path, port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = bind(port).await?;
        let out = tempfile::tempdir()?;
        build(root, out.path())?;
        let builds = watch::Sender::new(());
        let _watcher = rebuild_on_change(root.to_owned(), out.path().to_owned(), builds.clone())?;
        println!("reading on http://{}/ until Ctrl-C", listener.local_addr()?);
        tokio::select! {
            served = async { axum::serve(listener, router(out.path(), builds)).await } => served?,
            stop = tokio::signal::ctrl_c() => stop?,
        }
        Ok(())
    })
}

async fn bind(port: u16) -> Result<TcpListener> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    bound.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {port} is in use: stop what listens there, or choose another with `--port`"
        ),
        _ => anyhow!(error).context(format!("cannot listen on 127.0.0.1:{port}")),
    })
}

fn router(out: &Path, builds: watch::Sender<()>) -> Router {
    Router::new()
        .route(&format!("/{LIVE_RELOAD}"), get(live_reload))
        .fallback_service(ServeDir::new(out))
        .with_state(builds)
}

async fn live_reload(
    upgrade: WebSocketUpgrade,
    State(builds): State<watch::Sender<()>>,
) -> Response {
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        let mut built = builds.subscribe();
        tokio::select! {
            _ = built.changed() => {
                // A page that has gone needs no news.
                let _ = socket.send("reload".into()).await;
            }
            _ = socket.recv() => {}
        }
    })
}

fn build(root: &Path, out: &Path) -> Result<()> {
    let Rendered { warnings, .. } = render(root, out, Some(LIVE_RELOAD))?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}

/// Builds on a thread of its own while the watcher that it returns lives.
fn rebuild_on_change(
    root: PathBuf,
    out: PathBuf,
    builds: watch::Sender<()>,
) -> Result<impl Watcher> {
    let (sender, changes) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(sender)?;
    for folder in ["book", "exercises", "solutions"] {
        let folder = root.join(folder);
        if folder.is_dir() {
            watcher
                .watch(&folder, RecursiveMode::Recursive)
                .with_context(|| format!("cannot watch {}", folder.display()))?;
        }
    }
    let built = root.join("book").join("book");
    let is_source = move |event: notify::Result<notify::Event>| {
        // Reading a file is an event as well, and a build reads them all.
        event.is_ok_and(|event| {
            !event.kind.is_access() && !event.paths.iter().all(|path| path.starts_with(&built))
        })
    };
    std::thread::spawn(move || {
        while let Ok(event) = changes.recv() {
            if !is_source(event) {
                continue;
            }
            while changes.recv_timeout(SILENCE).is_ok() {}
            match build(&root, &out) {
                Ok(()) => {
                    println!("built anew");
                    builds.send_replace(());
                }
                Err(error) => eprintln!("error: {error:#}\nthe pages stay as they were"),
            }
        }
    });
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use super::{bind, rebuild_on_change};
    use crate::scratch::Scratch;
    use tokio::sync::watch;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap()
    }

    #[test]
    fn a_busy_port_is_named_and_no_other_is_taken() {
        runtime().block_on(async {
            let taken = bind(0).await.unwrap();
            let port = taken.local_addr().unwrap().port();
            let error = bind(port).await.unwrap_err().to_string();
            assert!(error.starts_with(&format!("port {port} is in use")), "{error}");
        });
    }

    #[test]
    fn a_change_of_a_chapter_is_built_and_told_to_the_pages() {
        let scratch = Scratch::book();
        let out = scratch.root().join("out");
        let builds = watch::Sender::new(());
        let mut told = builds.subscribe();
        let root = scratch.root().canonicalize().unwrap();
        let _watcher = rebuild_on_change(root, out.clone(), builds).unwrap();
        scratch.write("book/src/two.md", "# Two\n\n## The idea\n\nIt changed.\n");
        runtime().block_on(told.changed()).unwrap();
        let page = std::fs::read_to_string(out.join("two.html")).unwrap();
        assert!(page.contains("It changed."));
    }
}
