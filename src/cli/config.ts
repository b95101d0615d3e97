// `switchyard config`: the effective configuration, each value with its origin.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { parseFlags } from '../config/flag-parser.ts'
import { loadConfig } from '../config/load.ts'
import { formatProblem } from '../config/problem.ts'
import { kubeProxyYaml, switchyardYaml } from '../config/render.ts'
import { complain, refuse, say } from './say.ts'

const help = `Usage: switchyard config [FLAGS OF run]

Prints the configuration that \`switchyard run\` with the same flags would use: every value, and whether it is the default, from the
file, or from a flag. Changes nothing. \`switchyard run --help\` lists the flags.

Exit status: 0 it is one; 1 it would be refused; 64 the command line is wrong.

Examples:
  switchyard config --config /var/lib/kube-proxy/config.conf
  switchyard config --manifests ./manifests --proxy-mode ipvs
`

export { flags } from '../config/flags.ts'

export async function main(argv: readonly string[]): Promise<number> {
  const { values: flags, errors } = parseFlags(argv)
  if (flags.help === true) return say(help)
  if (errors.length > 0) return refuse(errors.map(formatProblem))
  const loaded = loadConfig({ flags, readFile: path => readFileSync(path, 'utf8'), hostname: hostname() })
  for (const problem of [...loaded.errors, ...loaded.warnings, ...loaded.notices]) {
    complain(`${problem.severity}: ${formatProblem(problem)}`)
  }
  if (loaded.errors.length > 0) return 1
  say(`# node name: ${loaded.nodeName}\n`)
  say(kubeProxyYaml(loaded.effective, loaded.origins))
  return say(`---\n${switchyardYaml(loaded.switchyard, loaded.origins)}`)
}
