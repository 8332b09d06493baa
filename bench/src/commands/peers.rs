//! `hallmark peers`: what the vendor's library and plain copies reach on this card, beside our own figures.

use crate::answer;
use crate::cli::{self, Format};
use crate::exit::{Done, OrFail as _, Outcome, fail};

pub(super) fn run(args: &cli::Peers) -> Done {
    let peers = kernels::device::cuda::peers(args.device).or_fail(Outcome::Unfit)?;
    match args.format {
        Format::Json => answer::json(&peers),
        Format::Text => {
            let mut rows = vec![["PEER", "SHAPE", "MEDIAN", "RATE"].map(str::to_owned).to_vec()];
            rows.extend(peers.iter().map(|peer| peer.cells().to_vec()));
            answer::print(&answer::columns(&rows))
        }
        other => Err(fail!(Usage, "peers are shown as text or json, not {other:?}")),
    }
}
