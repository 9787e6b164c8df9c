//! The process `aviary`.

use std::process::ExitCode;

/// musl's allocator, which the released image would have, is slow with threads. This one gives back at once what a roll-out of many
/// canaries took (`.cargo/config.toml` sets it so; docs/benchmarks.md has the figures).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    aviary::cli::main()
}
