from __future__ import annotations

from drift.categorical import ScorerDrift
from drift.psi import DistributionDrift


def distribution_table(found: DistributionDrift) -> str:
    """Return buckets and measures as text."""
    lines = [f"{'bucket':>27}  {'reference':>18}  {'current':>18}  {'contribution':>12}"]
    for row in found.rows:
        bucket = f"[{row.lower:.6g}, {row.upper:.6g})"
        before = f"{row.reference_count:,} ({row.reference_share:.1%})"
        now = f"{row.current_count:,} ({row.current_share:.1%})"
        lines.append(f"{bucket:>27}  {before:>18}  {now:>18}  {row.contribution:>12.4f}")
    dropped = sum(found.dropped_reference.values()), sum(found.dropped_current.values())
    lines.append(f"n {found.n_reference:,} / {found.n_current:,}, dropped {dropped[0]:,} / {dropped[1]:,}")
    lines.append(
        f"PSI {found.psi:.4f}  {found.verdict}  p {found.p_value:.3g}  by chance up to {found.noise_p95:.4f}"
        f"{'' if found.reliable else ' (too few values for PSI alone)'}"
    )
    if found.ks is not None and found.wasserstein_norm is not None:
        lines.append(
            f"KS {found.ks:.4f}  Wasserstein {found.wasserstein_norm:.4f} sd  Jensen-Shannon {found.js_distance:.4f}  "
            f"Hellinger {found.hellinger:.4f}  total variation {found.tvd:.4f}"
        )
    if found.quantile_psi is not None:
        lines.append(
            f"One bucket holds {found.max_bucket_share:.1%} of all values; by quantiles PSI {found.quantile_psi:.4f}."
        )
    lines.append("ALERT" if found.alert else "no alert")
    return "\n".join(lines)


def scorer_table(found: ScorerDrift) -> str:
    """Return transitions and measures as text."""
    lines = [f"{count:>8,}  {old} → {new}" for old, new, count in found.transitions if old != new]
    opened, closed = len(found.firewall_opened), len(found.firewall_closed)
    lines.append(
        f"{found.n_common:,} runs in common, {found.changed:,} changed ({found.change_rate:.2%}): "
        f"{found.upgrades:,} up, {found.downgrades:,} down; firewall opened {opened:,}, closed {closed:,}"
    )
    if found.cohen_kappa is not None:
        lines.append(
            f"{found.verdict}  kappa {found.cohen_kappa:.4f}  Bowker p {found.bowker_p:.3g}  McNemar p "
            f"{found.mcnemar_exact_p:.3g}  PSI {found.category_psi:.4f}"
        )
    lines += [f"crossed the firewall: {run}" for run in found.firewall_opened]
    return "\n".join(lines)
