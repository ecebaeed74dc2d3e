//! Reports: what they cost, how large they are, how soon they are drawn, and whether what they say
//! of changes is so.

mod browser;
mod changes;
mod cost;
mod quantiles;
mod size;

use super::figures::Figures;
use anyhow::Result;

pub(super) use cost::Child;

pub(super) fn run() -> Result<Figures> {
    let mut figures = Figures::default();
    quantiles::measure(&mut figures)?;
    changes::measure(&mut figures)?;
    size::measure(&mut figures)?;
    cost::measure(&mut figures)?;
    Ok(figures)
}

pub(super) fn child(child: &Child) -> Result<()> {
    cost::child(child)
}
