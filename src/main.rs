//! The process `aviary`.

use std::process::ExitCode;

/// A roll-out of many canaries leaves holes of all sizes behind in the heaps of all threads. The C library keeps them for good, and
/// musl's is slow with threads besides; this one gives them back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    aviary::cli::main()
}
