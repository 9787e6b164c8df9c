//! Addresses of pods, on the loopback device of this network namespace.

use std::{
    net::Ipv4Addr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// The first one is 10.244.0.1. None is given out twice, so that a proxy with an old list of pods meets silence and not a stranger.
const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 0);

static LAST: AtomicU32 = AtomicU32::new(0);

/// An address that is gone with this value.
pub(crate) struct Address(pub(crate) Ipv4Addr);

// === impl Address ===

impl Address {
    pub(crate) fn add() -> Self {
        let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let address = Ipv4Addr::from_bits(NETWORK.to_bits() + next);
        assert!(change("add", address), "ip addr add {address} dev lo failed");
        Self(address)
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        change("del", self.0); // an error means that the namespace is gone already
    }
}

fn change(verb: &str, address: Ipv4Addr) -> bool {
    let words = ["addr", verb, &format!("{address}/32"), "dev", "lo"];
    let status = Command::new("ip").args(words).status();
    status
        .unwrap_or_else(|error| panic!("ip: {error}; apt-get install iproute2"))
        .success()
}
