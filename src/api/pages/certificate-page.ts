import type { BackupEvidence, DeletionCertificate, NoBackupEvidence, RehearsalEvidence, SignedCertificate } from '../../contracts/certificate';
import { type Html, html, type WebPage } from './html';

const style = `
:root { color-scheme: light; --ink: #1c2024; --soft: #60646c; --line: #d9dbe0; --tint: #f4f5f7; --good: #1a7f4b }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 3rem 2rem; max-width: 62rem; color: var(--ink); background: #fff; font: 15px/1.5 system-ui, sans-serif }
header { border-bottom: 3px solid var(--ink); padding-bottom: 1.25rem; margin-bottom: 1.5rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; break-after: avoid }
p { margin: .4rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; margin: 0 }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse; font-size: .86rem }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--ink); padding: .3rem .75rem .3rem 0; vertical-align: bottom }
td { border-bottom: 1px solid var(--line); padding: .35rem .75rem .35rem 0; vertical-align: top; overflow-wrap: anywhere }
tr { break-inside: avoid }
thead { display: table-header-group }
.number { text-align: right; font-variant-numeric: tabular-nums }
.time { white-space: nowrap; font-variant-numeric: tabular-nums }
.absent { color: var(--good); font-weight: 600 }
.now { white-space: nowrap }
.kind { min-width: 9.5rem; overflow-wrap: normal }
.call { overflow-wrap: normal }
.mono { font: .8rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere }
.lead { font-size: 1.05rem }
.soft { color: var(--soft) }
.box { background: var(--tint); padding: .9rem 1.1rem; border-radius: 6px; break-inside: avoid }
@media print { body { padding: 0; max-width: none; font-size: 9.5pt } table { font-size: 7.5pt } .kind { min-width: 7rem } .box { border: 1px solid var(--line) } @page { margin: 18mm 16mm } }
`;

/** A certificate as a page to read and print. It shows what was signed; the file is what can be verified. */
export function certificatePage({ certificate, key, signature }: SignedCertificate): WebPage {
  const body = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Deletion certificate of ${certificate.tenantId}</title>
<style>${{ html: style }}</style>
</head>
<body>
<header>
<h1>Deletion certificate</h1>
<p class="lead">Tenant <strong>${certificate.tenantId}</strong> (${certificate.displayName}) has been deleted. Nothing of it was found on ${time(certificate.issuedAt)},
but for what is listed under <a href="#kept">what was kept</a>.</p>
</header>
${summary(certificate)}
${backupSection(certificate)}
${keptSection(certificate)}
${resourcesSection(certificate)}
${checksSection(certificate)}
${stepsSection(certificate)}
<h2>Signature</h2>
<div class="box">
<p>This page shows the certificate; what is signed, and can be verified without us, is the file of the same address in JSON.</p>
<dl><dt>Algorithm</dt><dd>PS256 over canonical JSON (RFC 8785)</dd><dt>Key</dt><dd class="mono">${key.kid}</dd><dt>Signature</dt><dd class="mono">${signature.signature}</dd></dl>
</div>
</body>
</html>
`;
  return { html: body.html, style };
}

const time = (iso: string): Html => html`<time datetime="${iso}" class="time">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;

const summary = ({ operationId, requestedBy, requestedAt, issuedAt, asked, sessions, histories }: DeletionCertificate): Html => html`<dl>
<dt>Asked for by</dt><dd>operator ${requestedBy}, ${time(requestedAt)}</dd>
<dt>Operation</dt><dd class="mono">${operationId}</dd>
<dt>Issued</dt><dd>${time(issuedAt)}</dd>
<dt>Grace period</dt><dd>${duration(asked.graceSeconds)}</dd>
<dt>Running turns</dt><dd>${asked.drain.policy === 'stop' ? 'stopped at once' : `could finish within ${duration(asked.drain.seconds)}`}</dd>
${sessions ? html`<dt>Sessions</dt><dd>${sessions.closed} closed, ${sessions.cutOff} of them cut off</dd>` : ''}
<dt>Histories of sessions</dt><dd>${historiesText(asked.histories, histories)}</dd>
</dl>`;

const historiesText = (asked: DeletionCertificate['asked']['histories'], left: DeletionCertificate['histories']): Html => {
  if (asked === 'kept' || !left) return html`${asked}`;
  if (left.listed === 0) return html`deleted; Temporal listed none at ${time(left.checkedAt)}`;
  return html`asked to be deleted; Temporal still listed ${left.listed} at ${time(left.checkedAt)}, ${left.held} of them with their history`;
};

const backupSection = ({ backup, rehearsal }: DeletionCertificate): Html => ('outcome' in backup ? noBackup(backup) : lastBackup(backup, rehearsal));

const noBackup = ({ reason, keyArn, keyState, checkedAt }: NoBackupEvidence): Html => html`<h2>Backup</h2>
<dl>
<dt>Taken</dt><dd><strong>no</strong>: what the tenant held could not be read any more</dd>
<dt>Key</dt><dd><span class="mono">${keyArn}</span>, ${keyState} at ${time(checkedAt)}</dd>
<dt>The operator's reason</dt><dd>${reason}</dd>
<dt>Earlier backups</dt><dd>see <a href="#kept">what was kept</a></dd>
</dl>`;

const lastBackup = (backup: BackupEvidence, rehearsal: RehearsalEvidence): Html => html`<h2>Backup</h2>
<dl>
<dt>Where</dt><dd class="mono">${backup.location}</dd>
<dt>SHA-256</dt><dd class="mono">${backup.sha256}</dd>
<dt>Taken</dt><dd>${time(backup.takenAt)}, ${backup.records} records, ${backup.format}</dd>
<dt>Read back and verified</dt><dd>${time(backup.verifiedAt)}</dd>
<dt>Restored on trial</dt><dd>${rehearsalText(rehearsal)}</dd>
<dt>Kept until</dt><dd>${backup.expiresAt === undefined ? 'somebody deletes it' : time(backup.expiresAt)}</dd>
</dl>`;

const rehearsalText = (rehearsal: RehearsalEvidence): Html =>
  rehearsal.outcome === 'skipped'
    ? html`<strong>no</strong>: ${rehearsal.reason}`
    : html`${time(rehearsal.finishedAt)}, in ${(rehearsal.durationMs / 1_000).toFixed(1)} s: ${rehearsal.compared
        .map(({ content, found, records, hashesAgree }) => `${content} ${found} of ${records}${hashesAgree ? '' : ' (hashes differ)'}`)
        .join(', ')}`;

const keptSection = ({ kept }: DeletionCertificate): Html => html`<h2 id="kept">What was kept</h2>
<table><thead><tr><th>What</th><th>Why</th><th>Until</th></tr></thead><tbody>
${kept.map(({ what, why, until }) => html`<tr><td>${what}</td><td>${why}</td><td>${/^\d{4}-/.test(until) ? time(until) : until}</td></tr>\n`)}</tbody></table>`;

const resourcesSection = ({ resources, inventory }: DeletionCertificate): Html => html`<h2>What there was</h2>
<p class="soft">${resources.length} things were found on ${time(inventory.takenAt)}, just before deletion began; schedules a little earlier, as they are deleted first.</p>
<table><thead><tr><th>Kind</th><th>Name</th><th>Now</th><th>Looked for by</th><th>Checked</th></tr></thead><tbody>
${resources.map(
  ({ service, type, name, state, outcome, call, checkedAt }) =>
    html`<tr><td class="kind">${service} ${type}</td><td>${name}${state === undefined ? '' : html` <span class="soft">(${state})</span>`}</td><td class="now">${outcome === 'absent' ? html`<span class="absent">absent</span>` : 'kept'}</td><td class="call">${call}</td><td>${time(checkedAt)}</td></tr>\n`,
)}</tbody></table>`;

const checksSection = ({ checks }: DeletionCertificate): Html => html`<h2>What was looked for</h2>
<p class="soft">Every kind of thing that tenants may own, whether this one had any or not.</p>
<table><thead><tr><th>Kind</th><th>Looked for by</th><th class="number">Before</th><th class="number">After</th><th>Checked</th></tr></thead><tbody>
${checks.map(
  ({ service, type, call, before, after, checkedAt }) =>
    html`<tr><td class="kind">${service} ${type}</td><td class="call">${call}</td><td class="number">${before}</td><td class="number">${after}</td><td>${time(checkedAt)}</td></tr>\n`,
)}</tbody></table>`;

const stepsSection = ({ steps }: DeletionCertificate): Html => html`<h2>How it was done</h2>
<table><thead><tr><th>Step</th><th>State</th><th>Begun</th><th>Finished</th></tr></thead><tbody>
${steps.map(
  ({ title, state, startedAt, finishedAt }) =>
    html`<tr><td>${title}</td><td class="now">${state}</td><td>${startedAt === undefined ? '' : time(startedAt)}</td><td>${finishedAt === undefined ? '' : time(finishedAt)}</td></tr>\n`,
)}</tbody></table>`;

function duration(seconds: number): string {
  if (seconds === 0) return 'none';
  if (seconds % 86_400 === 0) return `${seconds / 86_400} days`;
  return `${seconds} seconds`;
}
