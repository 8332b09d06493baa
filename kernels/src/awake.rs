//! Keeping threads from sleeping between the steps of long work.

use std::sync::atomic::{AtomicBool, Ordering};

/// Pauses between two looks for work: few enough that work is found at once, enough that looking disturbs nobody.
const PAUSES: usize = 16;

/// Runs `f` on this thread of the pool while the others look for its work without sleeping: a sleeper needs longer to begin
/// than small steps last, and falls asleep within the next that has no work for it.
pub(crate) fn awake(f: impl FnOnce()) {
    let Some(own) = rayon::current_thread_index() else {
        return f();
    };
    let done = AtomicBool::new(false);
    rayon::in_place_scope(|scope| {
        scope.spawn_broadcast(|_, thread| {
            while thread.index() != own && !done.load(Ordering::Acquire) {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    for _ in 0..PAUSES {
                        std::hint::spin_loop();
                    }
                }
            }
        });
        // Also where `f` panics: the scope waits for all threads.
        let _end = End(&done);
        f();
    });
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().expect("a pool")
    }

    #[test]
    fn work_is_done_by_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let sums: Vec<u64> = pool(threads).install(|| {
                let mut sums = vec![];
                awake(|| {
                    use rayon::prelude::*;
                    sums.extend((0..100).map(|from| (from..1000u64).into_par_iter().sum::<u64>()));
                });
                sums
            });
            assert_eq!(sums[0], 499_500);
            assert_eq!(sums[99], 499_500 - 4851);
        }
    }

    #[test]
    fn one_may_hold_another() {
        let count = pool(3).install(|| {
            let mut count = 0;
            awake(|| awake(|| count = rayon::join(|| 1, || 2).1));
            count
        });
        assert_eq!(count, 2);
    }

    #[test]
    fn a_panic_ends_it() {
        let panicked = pool(2).install(|| std::panic::catch_unwind(|| awake(|| panic!("as wanted"))));
        assert!(panicked.is_err());
    }
}
