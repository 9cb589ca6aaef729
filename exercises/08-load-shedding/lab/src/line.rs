//! A limit and a line, served from one of its ends: what is built without a thought of overload.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storm::Failure;
use tokio::sync::oneshot;

use crate::code::{Serve, Work};

struct Line {
    free: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
    newest_first: bool,
}

/// A number at a time; the others wait, up to a limit. The newest is served first, or last.
pub fn serve(places: usize, max_waiting: usize, newest_first: bool) -> Serve {
    let line = Arc::new(Mutex::new(Line { free: places, waiting: VecDeque::new(), newest_first }));
    Arc::new(move |_, work| Box::pin(served(Arc::clone(&line), max_waiting, work)))
}

/// Nobody is cancelled in this lab, so a place is always given back.
async fn served(line: Arc<Mutex<Line>>, max_waiting: usize, work: Work) -> Result<(), Failure> {
    let turn = {
        let mut line = lock(&line);
        if line.free > 0 {
            line.free -= 1;
            None
        } else if line.waiting.len() < max_waiting {
            let (tell, turn) = oneshot::channel();
            line.waiting.push_back(tell);
            Some(turn)
        } else {
            return Err(Failure::Shed);
        }
    };
    if let Some(turn) = turn {
        turn.await.expect("the line outlives who waits in it");
    }
    let result = work.await;
    let next = {
        let mut line = lock(&line);
        let newest_first = line.newest_first;
        let next = if newest_first { line.waiting.pop_back() } else { line.waiting.pop_front() };
        line.free += usize::from(next.is_none());
        next
    };
    if let Some(next) = next {
        next.send(()).expect("nobody leaves the line");
    }
    result
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}
