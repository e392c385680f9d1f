//! How the cost of a workload grows from the smallest size to the largest that was measured.

use std::fmt::Write;

use super::report::{Results, number};
use super::turns::{Measured, Side};
use crate::Result;

/// A table for each database on which more than one size was measured.
pub(super) fn tables(text: &mut String, results: &[Results]) -> Result<()> {
    let mut kinds: Vec<_> = results.iter().map(|result| result.kind).collect();
    kinds.dedup();
    for kind in kinds {
        let of_kind: Vec<_> = results
            .iter()
            .filter(|result| result.kind == kind)
            .collect();
        if let [first, .., last] = of_kind.as_slice() {
            writeln!(
                text,
                "\n### {}: growth from {} to {}\n\n\
                 Processor time of server and database for an answer, and the median time of an answer, at the larger size by \
                 those at the smaller one.\n\n\
                 | workload | connections | CPU, limit | CPU, Parlour | p50, limit | p50, Parlour |\n\
                 |---|---:|---:|---:|---:|---:|",
                kind.name(),
                first.size.name(),
                last.size.name()
            )?;
            for small in &first.measured {
                let is_same = |large: &&Measured| {
                    (large.workload, large.connections) == (small.workload, small.connections)
                };
                if let Some(large) = last.measured.iter().find(is_same) {
                    row(text, small, large)?;
                }
            }
        }
    }
    Ok(())
}

fn row(text: &mut String, small: &Measured, large: &Measured) -> Result<()> {
    let cpu = |side: &Side| side.cpu()[0] + side.cpu()[1];
    let p50 = |side: &Side| side.percentile(50);
    writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} |",
        small.workload.title(),
        small.connections,
        number(cpu(&large.limit) / cpu(&small.limit)),
        number(cpu(&large.parlour) / cpu(&small.parlour)),
        number(p50(&large.limit) / p50(&small.limit)),
        number(p50(&large.parlour) / p50(&small.parlour)),
    )?;
    Ok(())
}
