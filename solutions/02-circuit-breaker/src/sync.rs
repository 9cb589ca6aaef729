//! What threads share: under loom, loom's.

#[cfg(not(loom))]
pub use std::sync::{Mutex, atomic};
#[cfg(not(loom))]
pub use thread_local::ThreadLocal;

#[cfg(loom)]
pub use loom::sync::{Mutex, atomic};
#[cfg(loom)]
pub use threads::ThreadLocal;

/// Loom's threads are coroutines on one thread of the system, which to `thread_local` are the same.
#[cfg(loom)]
mod threads {
    use std::sync::OnceLock;

    use loom::thread::{ThreadId, current};

    /// Made beforehand, for loom must see them made before another thread looks.
    #[derive(Debug, Default)]
    pub struct ThreadLocal<T>([(OnceLock<ThreadId>, T); 3]);

    impl<T> ThreadLocal<T> {
        pub fn get_or_default(&self) -> &T {
            let me = current().id();
            let mine = self.0.iter().find(|(owner, _)| *owner.get_or_init(|| me) == me);
            &mine.expect("no model has more threads").1
        }

        pub fn iter(&self) -> impl Iterator<Item = &T> {
            self.0.iter().filter(|(owner, _)| owner.get().is_some()).map(|(_, value)| value)
        }
    }
}
