//! How often one peer, or one key, may ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Rate;

/// Who is remembered before those with a full bucket are forgotten.
const MAX_BUCKETS: usize = 16_384;

/// Token buckets, one for each `K`.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Eq + Hash> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes tokens, or tells how long until there are as many. More than the burst there will never be.
    pub(crate) fn take(&self, whose: K, wanted: f64, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.rate.burst);
        }
        let full = Bucket {
            tokens: self.rate.burst,
            at: now,
        };
        let bucket = buckets.entry(whose).or_insert(full);
        let tokens = self.filled(bucket, now);
        let left = tokens - wanted;
        *bucket = Bucket {
            tokens: if left < 0.0 { tokens } else { left },
            at: now,
        };
        if left < 0.0 {
            Err(Duration::from_secs_f64(-left / self.rate.per_second))
        } else {
            Ok(())
        }
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + elapsed * self.rate.per_second).min(self.rate.burst)
    }
}

/// Whose bucket an address draws from: an IPv6 address is its /64, which is what one subscriber is given.
pub(crate) fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 2.0,
        burst: 3.0,
    };

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let limiter = Limiter::new(RATE);
        let peer = IpAddr::from([192, 0, 2, 1]);
        let start = Instant::now();
        for _ in 0..3 {
            limiter.take(peer, 1.0, start).expect("the burst");
        }
        assert_eq!(limiter.take(peer, 1.0, start), Err(Duration::from_millis(500)));
        limiter
            .take(peer, 1.0, start + Duration::from_millis(500))
            .expect("one more after half a second");
        limiter
            .take(IpAddr::from([192, 0, 2, 2]), 1.0, start)
            .expect("another peer has its own bucket");
    }

    #[test]
    fn addresses_of_one_ipv6_subscriber_share_a_bucket() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(
            subscriber(parse("2001:db8::1")),
            subscriber(parse("2001:db8::ffff:2"))
        );
        assert_ne!(
            subscriber(parse("2001:db8::1")),
            subscriber(parse("2001:db8:0:1::1"))
        );
        assert_eq!(subscriber(parse("::ffff:192.0.2.1")), parse("192.0.2.1"));
    }
}
