//! `engify security audit-verify`: the proof that the audit log is as it was written.

use engify_app::{Ctx, audit};

use crate::cli::AuditVerify;
use crate::printer;
use crate::stop::{Ended, Verdict};

/// Proves the chain, and says where it breaks first.
pub(super) async fn run(ctx: &Ctx, options: AuditVerify) -> Ended {
    let bar = printer::progress(0, "Blocks");
    let verdict = audit::verify(ctx, options.head.as_ref(), |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    if options.report.json {
        printer::json(&verdict)?;
    } else {
        let audit::Verdict { blocks, lines, pruned, unsealed, .. } = &verdict;
        printer::line(format_args!(
            "{blocks} blocks with {lines} lines are as they were sealed; {pruned} were removed as the settings say; \
             {unsealed} are not sealed yet"
        ))?;
        if let Some(head) = &verdict.head {
            printer::line(format_args!("newest block, to keep elsewhere: {}:{}", head.block, head.hash))?;
        }
        match &verdict.broken {
            Some(broken) => printer::line(format_args!("BROKEN: {}", broken.sentence()))?,
            None => printer::line("intact")?,
        }
    }
    Ok(Verdict::wanting_if(!verdict.intact))
}
