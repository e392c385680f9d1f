//! `parlour schema`: the SDL of the graph.

use std::process::ExitCode;

pub(super) fn run() -> ExitCode {
    print!("{}", crate::graphql::Graph::default().sdl());
    ExitCode::SUCCESS
}
