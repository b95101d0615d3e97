// Kernels that lack what ipvs mode needs. Each is a guest of its own, since what this machine's kernel has cannot be taken away; the tests in it
// are the file of missing-modules that is named after the module.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { execa } from 'execa'

const root = new URL('../../', import.meta.url).pathname

/** One after the other: a file beside this one runs already. */
describe('what needs a kernel without', { concurrency: false }, () => {
  for (const module of ['ip_vs', 'ip_vs_sh']) {
    test(module, async () => {
      const words = ['--without', module, 'scripts/sandbox', process.execPath, '--test', `test/real/missing-modules/${module}.ts`]
      const { all, exitCode } = await execa('scripts/guest', words, {
        cwd: root,
        env: inGuest,
        reject: false,
        stdin: 'ignore',
        all: true,
      })
      assert.equal(exitCode, 0, all)
      // A file without tests would pass as well.
      assert.match(all, /^\S+ pass [1-9]/m)
    })
  }
})

/** As scripts/full-kernel has it. A run of tests inside of another one would tell that one what it finds, and not its caller. */
const inGuest = {
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '/run/tmp/compiled',
  SWITCHYARD_TEST_SLOWNESS: '5',
  NODE_TEST_CONTEXT: undefined,
}
