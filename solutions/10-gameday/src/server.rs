//! The listener: so many connections and no more, and a limit on how long a request's head may take.
//!
//! `axum::serve` has neither. A client that sends a byte a minute would hold its connection for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Who comes later waits in the kernel's queue.
const MOST_CONNECTIONS: usize = 512;
/// How long a request's head may take, and how long a connection may idle.
const HEAD: Duration = Duration::from_secs(10);
/// No request is worked on for longer.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// Serves until SIGTERM or Ctrl-C; then until the requests that have come are answered.
pub async fn serve(listener: TcpListener, app: Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut told_to_stop = std::pin::pin!(told_to_stop());
    loop {
        let accept = async {
            // It fails only where somebody closes the semaphore; nobody does.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accept => accepted,
            () = &mut told_to_stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptor is left, most likely. One comes back when a connection ends.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            // Its error is the client's: it has gone, or speaks no HTTP.
            let _ = connection.await;
        });
    }
    drop(listener);
    let _ = timeout(LAST_REQUESTS, connections.shutdown()).await;
}

async fn told_to_stop() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = ctrl_c => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    ctrl_c.await;
}
