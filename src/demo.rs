//! `aviary demo`.
/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}
/// Run it.
pub fn main(_: &Args) -> anyhow::Result<()> {
    Ok(())
}
