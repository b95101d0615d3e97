// A real browser: Debian's chromium, driven by playwright-core. It sees what the sandbox has, which is loopback, and keeps nothing.
//
//   await using browser = await startBrowser()
//   const { page } = await browser.open({ width: 1280 })
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

export interface View {
  readonly width?: number
  readonly height?: number
  readonly colorScheme?: 'light' | 'dark'
  readonly reducedMotion?: 'reduce' | 'no-preference'
}

export interface OpenPage {
  readonly page: Page
  /** Every address that it asked for. */
  readonly requests: readonly string[]
  /** What the console complains of, and every violation of the Content-Security-Policy. */
  readonly complaints: readonly string[]
}

export interface TestBrowser extends AsyncDisposable {
  /** A window of its own, which knows nothing of the others. */
  open(view?: View): Promise<OpenPage>
}

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const program = '/usr/bin/chromium'

/** @param namespace the network that it sees, where that is not the test's. */
export async function startBrowser({ namespace }: { readonly namespace?: string } = {}): Promise<TestBrowser> {
  const folder = await mkdtemp(join(tmpdir(), 'browser-'))
  const inside = join(folder, 'chromium')
  if (namespace !== undefined)
    await writeFile(inside, `#!/bin/sh\nexec ip netns exec ${namespace} ${program} "$@"\n`, { mode: 0o755 })
  const executablePath = namespace === undefined ? program : inside
  // Debian's is a shell script that reads settings of the user and the machine; here they are the test's.
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder }
  const browser = await chromium.launch({ executablePath, headless: true, args: flags, env })
  return {
    async open({ width = 1280, height = 900, colorScheme = 'light', reducedMotion = 'reduce' } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion })
      return watched(context)
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function watched(context: BrowserContext): Promise<OpenPage> {
  const requests: string[] = []
  const complaints: string[] = []
  await context.exposeFunction('violated', (what: string) => void complaints.push(`policy: ${what}`))
  await context.addInitScript(`document.addEventListener('securitypolicyviolation', event =>
    window.violated(event.violatedDirective + ' ' + event.blockedURI))`)
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('request', request => requests.push(request.url()))
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    const isComplaint = message.type() === 'error' || message.type() === 'warning'
    // An answer that refuses is the page's to show.
    if (isComplaint && !message.text().startsWith('Failed to load resource: the server responded'))
      complaints.push(message.text())
  })
  return { page, requests, complaints }
}
