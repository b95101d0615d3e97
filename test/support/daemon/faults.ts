// Ways in which iptables-restore fails, for `Toolbox.break`: in the words of iptables 1.8.9, and, as there, with the blocks before
// the bad one applied.

/**
 * How a refusal names its place.
 * `rule`: nf_tables on a rule that the kernel refuses; `syntax`: either backend on a rule that it does not understand;
 * `commit`: legacy, which names the block's last line whatever the kernel refused.
 */
export type Complaint = 'rule' | 'syntax' | 'commit'

/** Refuses every input that has a line like this (an extended regular expression, as grep -E takes it). */
export function refuseLines(pattern: string, complaint: Complaint): string {
  const messages: Record<Complaint, string> = {
    rule: 'printf "%s v1.8.9 (nf_tables): \\nline %d: RULE_APPEND failed (Invalid argument): rule in chain %s\\n" "$name" "$line" "$chain"',
    syntax: 'printf "%s v1.8.9 (nf_tables): unknown option \\"--bad\\"\\nError occurred at line: %d\\n" "$name" "$line"',
    commit: 'printf "%s: line %d failed\\n" "$name" "$commit"',
  }
  return `
name=\${0##*/}
line=$(grep -n -m1 -E '${pattern}' "$input" | cut -d: -f1)
if [ -n "$line" ]; then
  chain=$(sed -n "\${line}p" "$input" | cut -d' ' -f2)
  commit=$((line - 1 + $(tail -n "+$line" "$input" | grep -n -m1 '^COMMIT' | cut -d: -f1)))
  before=$(head -n "$line" "$input" | grep -n '^\\*' | tail -n1 | cut -d: -f1)
  head -n "$((before - 1))" "$input" | "$real" "$@" || exit 1
  ${messages[complaint]} >&2
  exit ${complaint === 'syntax' ? 2 : 1}
fi
`
}

/** Fails whatever it is given, and changes nothing. */
export function refuseEverything(message: string, exitStatus = 1): string {
  return `echo "\${0##*/}: ${message}" >&2; exit ${exitStatus}\n`
}

/** Someone else has the lock of the legacy backend. */
export const lockHeld =
  'echo "Another app is currently holding the xtables lock; still 0s 0us time ahead to have a chance to grab the lock..." >&2; exit 4\n'

/** Applies the first half of the blocks, and then kills the daemon that started the tool. */
export const killHalfWay = `
blocks=$(grep -c '^COMMIT' "$input")
half=$(grep -n '^COMMIT' "$input" | sed -n "$(( (blocks + 1) / 2 ))p" | cut -d: -f1)
head -n "$half" "$input" | "$real" "$@"
kill -KILL "$PPID"
exit 1
`

/** Waits, before anything is done, until the file is gone. */
export function holdWhile(file: string): string {
  return `while [ -e ${file} ]; do sleep 0.05; done\n`
}
