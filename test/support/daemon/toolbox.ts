// The tools that a daemon finds on its PATH: the real ones, behind a door that counts what iptables-restore is given, can break
// them, and can take them away.
//
//   const toolbox = await createToolbox(node.directory)
//   ... path: toolbox.path ...
//   await toolbox.break('iptables-nft-restore', refuseLines('^-A KUBE-SVC-X ', 'rule'))
import { access, chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One run of iptables-restore that was to change something. */
export interface RestoreCall {
  readonly tool: string
  /** Its standard input. */
  readonly lines: readonly string[]
}

export interface Toolbox {
  /** For the daemon's PATH. */
  readonly path: string
  /** What iptables-restore was given since the toolbox was made, or since `forget`, in order. */
  calls(): Promise<readonly RestoreCall[]>
  forget(): Promise<void>
  /** From now on this bash text runs before the tool and may end it: `$input` is the file with its standard input, `$real` the tool. */
  break(tool: string, script: string): Promise<void>
  mend(tool: string): Promise<void>
  /** From now on there is no such program. */
  remove(tool: string): Promise<void>
  putBack(tool: string): Promise<void>
}

const restoreTools = ['iptables', 'ip6tables'].flatMap(name => [`${name}-nft-restore`, `${name}-legacy-restore`])

export async function createToolbox(directory: string): Promise<Toolbox> {
  const root = join(directory, 'toolbox')
  const folders = { tools: join(root, 'tools'), calls: join(root, 'calls'), faults: join(root, 'faults') }
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true })
  const programs = await programsOnPath()
  const putBack = async (tool: string): Promise<void> => {
    const real = programs.get(tool)
    const path = join(folders.tools, tool)
    if (real === undefined) throw new Error(`no ${tool} on this machine`)
    if (restoreTools.includes(tool)) await writeWhole(path, door({ tool, real, ...folders }))
    else await symlink(real, path)
  }
  for (const tool of programs.keys()) await putBack(tool)
  return {
    path: folders.tools,
    calls: () => readCalls(folders.calls),
    async forget() {
      for (const name of await readdir(folders.calls)) await rm(join(folders.calls, name))
    },
    break: (tool, script) => writeWhole(join(folders.faults, tool), script),
    mend: tool => rm(join(folders.faults, tool), { force: true }),
    remove: tool => rm(join(folders.tools, tool)),
    putBack,
  }
}

/** Every program's real place; the first folder of the PATH wins. */
async function programsOnPath(): Promise<ReadonlyMap<string, string>> {
  const programs = new Map<string, string>()
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (!programs.has(name)) programs.set(name, join(folder, name))
    }
  }
  for (const tool of restoreTools) await access(programs.get(tool) ?? tool)
  return programs
}

/** Only what feeds rules is recorded and broken: `--version` is asked without `--noflush`. */
function door({ tool, real, calls, faults }: Readonly<Record<'tool' | 'real' | 'calls' | 'faults', string>>): string {
  return `#!/bin/bash
real=${real}
case " $* " in *" --noflush "*) ;; *) exec "$real" "$@" ;; esac
input=${calls}/$(date +%s%N)-$$-${tool}
cat > "$input.part" && mv "$input.part" "$input"
[ ! -e ${faults}/${tool} ] || . ${faults}/${tool}
exec "$real" "$@" < "$input"
`
}

async function readCalls(folder: string): Promise<readonly RestoreCall[]> {
  const names = (await readdir(folder)).filter(name => !name.endsWith('.part')).sort()
  return Promise.all(
    names.map(async name => ({
      tool: name.replace(/^\d+-\d+-/, ''),
      lines: (await readFile(join(folder, name), 'utf8')).split('\n').slice(0, -1),
    })),
  )
}

/** Who runs or reads it sees all of it or none. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.unfinished`, text)
  await chmod(`${path}.unfinished`, 0o755)
  await rename(`${path}.unfinished`, path)
}
