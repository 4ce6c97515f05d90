//! Slows down who guesses passwords: a budget of tries for each address and name together, and a
//! wider one for each address, whatever names it tries.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// An address may try this many times as many names as tries for one.
const NAMES: u32 = 30;
/// Budgets that are held before full ones are forgotten.
const MOST: usize = 10_000;

/// Budgets of tries.
#[derive(Debug)]
pub struct Throttle {
    names: DefaultKeyedRateLimiter<[u8; 32]>,
    addresses: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Throttle {
    /// So many tries at once, and so many in a minute.
    pub fn new(burst: u32, per_minute: u32) -> Self {
        let quota = |factor: u32| {
            let count = |number: u32| NonZeroU32::new(number * factor).unwrap_or(NonZeroU32::MIN);
            let period = Duration::from_mins(1) / count(per_minute).get();
            Quota::with_period(period)
                .unwrap_or(Quota::per_minute(NonZeroU32::MIN))
                .allow_burst(count(burst))
        };
        Self {
            names: RateLimiter::keyed(quota(1)),
            addresses: RateLimiter::keyed(quota(NAMES)),
            clock: DefaultClock::default(),
        }
    }

    /// Takes a try, or says when there is the next.
    pub fn check(&self, address: Option<&str>, name: &str) -> Result<(), ApiError> {
        if self.names.len() > MOST {
            self.names.retain_recent();
        }
        if self.addresses.len() > MOST {
            self.addresses.retain_recent();
        }
        let address = address.unwrap_or_default().to_owned();
        // A name may be as long as a body: only its hash is held.
        let key: [u8; 32] = Sha256::new()
            .chain_update(address.as_bytes())
            .chain_update([0])
            .chain_update(name.as_bytes())
            .finalize()
            .into();
        let refused = |wait: Duration| ApiError::TooManyRequests { seconds: wait.as_secs() + 1 };
        let now = self.clock.now();
        self.addresses.check_key(&address).map_err(|not| refused(not.wait_time_from(now)))?;
        self.names.check_key(&key).map_err(|not| refused(not.wait_time_from(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_an_address_has_a_budget_of_its_own() {
        let throttle = Throttle::new(3, 1);
        for _ in 0..3 {
            assert!(throttle.check(Some("192.0.2.1"), "alice").is_ok());
        }
        let refused = throttle.check(Some("192.0.2.1"), "alice");
        assert!(matches!(refused, Err(ApiError::TooManyRequests { seconds: 1..=61 })));
        assert!(throttle.check(Some("192.0.2.1"), "bob").is_ok());
        assert!(throttle.check(Some("192.0.2.2"), "alice").is_ok());
    }

    #[test]
    fn an_address_cannot_try_names_without_end() {
        let throttle = Throttle::new(2, 1);
        let tried = (0..100)
            .take_while(|name| throttle.check(Some("192.0.2.1"), &format!("name {name}")).is_ok());
        assert_eq!(tried.count(), 60);
    }
}
