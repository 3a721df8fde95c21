/**
 * Known vulnerabilities of our dependencies (`bun audit`). Exit code 0: none; 1: some; 75: they cannot be asked for, because the registry in use
 * does not tell (many mirrors do not), which must not be taken for either.
 */
const child = Bun.spawn([process.execPath, 'audit', '--json'], { stdout: 'pipe', stderr: 'pipe' });
const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);

let found: object | null = null;
try {
  found = JSON.parse(out.slice(out.indexOf('{')));
} catch {
  // Not the answer of an audit.
}
if (found === null) {
  console.log(`skipped: the registry cannot be asked (exit code ${code}: ${`${out} ${err}`.trim().slice(-200)})`);
  process.exit(75);
}
const names = Object.keys(found);
if (names.length > 0) console.log(JSON.stringify(found, null, 2));
console.log(`${names.length === 0 ? 1 : 0} passed, ${names.length} failed`);
process.exit(names.length > 0 ? 1 : 0);
