// argv → command → exit status. Without a command name it is the daemon, so that kube-proxy's own command line works as it is.
import { type Command, commands } from './cli/commands.ts'
import { refuse } from './cli/say.ts'

const [first, ...rest] = process.argv.slice(2)

// Who reads our output may stop early: `switchyard config | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await main()

async function main(): Promise<number> {
  const named = first !== undefined && Object.hasOwn(commands, first) ? commands[first] : undefined
  if (named !== undefined) return execute(named, rest)
  const run = commands['run']
  if (first === undefined || first.startsWith('-')) return run === undefined ? 64 : execute(run, process.argv.slice(2))
  return refuse([(await import('./cli/help.ts')).noSuchCommand(first)])
}

/** Commands are loaded only when they are wanted: a daemon must not carry what a tool needs. */
async function execute(command: Command, argv: readonly string[]): Promise<number> {
  const { main: start } = await command.load()
  return start(argv)
}
