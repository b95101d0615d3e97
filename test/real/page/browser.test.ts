// The page in a real browser: what it asks for, what it would run, what it shows, how it is used by keyboard and on a phone, and that it is live.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { ask, freePort, until } from '../../server/support.ts'
import { type OpenPage, startBrowser, type TestBrowser, type View } from '../../support/browser.ts'
import { type FakeDaemon, startFakeDaemon } from '../../support/page/fake-daemon.ts'
import { detail, hostile, status, troubledStatus, webPort } from '../../support/page/objects.ts'

/** Waits for the words beside the search. */
function found(page: Page, words: string): Promise<void> {
  return page.locator('#search-count').getByText(words, { exact: true }).waitFor()
}

describe('the page in a browser', () => {
  let browser: TestBrowser
  let daemon: FakeDaemon

  before(async () => {
    ;[browser, daemon] = await Promise.all([startBrowser(), startFakeDaemon()])
  })
  after(async () => {
    await browser[Symbol.asyncDispose]()
    await daemon[Symbol.asyncDispose]()
  })

  /** Opens it, gives it to the test, and holds it to what holds for every use. */
  const withPage = (what: string, view: View, hash: string, use: (page: Page, open: OpenPage) => Promise<void>): void => {
    it(what, async () => {
      daemon.told.status = status
      daemon.told.detail = service => (service.startsWith('default/') ? detail(service) : undefined)
      const open = await browser.open(view)
      await open.page.goto(`${daemon.url}${hash}`)
      await open.page.getByText('Live', { exact: true }).waitFor()
      await use(open.page, open)
      assert.deepEqual(open.complaints, [])
      assert.deepEqual(
        open.requests.filter(url => !url.startsWith(daemon.url)),
        [],
        'nothing is asked of others',
      )
      const overflow = await open.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      assert.ok(overflow <= 0, `it scrolls sideways by ${overflow}`)
      await open.page.context().close()
    })
  }

  withPage('shows the status, and 10,000 Services as a list that can be searched', {}, '', async page => {
    const text = await page.locator('.facts').innerText()
    assert.match(
      text,
      /State\s+Ready\s+up 3 h 12 min[\s\S]*Mode\s+iptables\s+IPv4 and IPv6[\s\S]*10,000\s+50,240 endpoints in 10,120 slices/,
    )
    assert.match(text, /Oldest change not in the kernel\s+none[\s\S]*Draining\s+0[\s\S]*Drift repaired\s+3[\s\S]*heard \d s ago/)
    await found(page, '10,000 Services')
    assert.equal(await page.locator('.list tbody tr').count(), 100)
    await page.getByRole('button', { name: 'Show 100 more' }).click()
    await page.getByText('200 of 10,000 are shown').waitFor()
    const before = daemon.asked.length
    // All within one turn of the page, so that no pause is long enough for a request.
    await page.getByLabel('Search').evaluate((input: HTMLInputElement) => {
      for (const letter of 'team-7/service-00') {
        input.value += letter
        input.dispatchEvent(new Event('input', { bubbles: true }))
      }
    })
    await found(page, '25 Services found')
    const rows = await page.locator('.list tbody th').allInnerTexts()
    assert.deepEqual([rows.length, rows[0], rows[24]], [25, 'team-7/service-00007', 'team-7/service-00967'])
    const asked = daemon.asked.slice(before).filter(path => path.includes('/services'))
    assert.ok(asked.length < 5, `a request waits for the end of typing: ${asked.join(' ')}`)
    await page.getByLabel('Search').fill('no such thing')
    await page.getByText('No Service matches').waitFor()
  })

  withPage('says what keeps the node from being ready, what is held back, and what drains', {}, '', async page => {
    daemon.told.status = troubledStatus
    daemon.news()
    const problems = page.getByRole('heading', { name: 'What keeps it from being ready' }).locator('..')
    const text = await problems.innerText()
    assert.match(
      text,
      /watch of endpointslices: silent for 6 min 2 s\s+IPv4: failed 3 times in a row: iptables-restore: Another app/,
    )
    assert.match(
      text,
      /the changed configuration is refused, the old one stays in force: config\.yaml:3: mode: "x" is not allowed/,
    )
    assert.match(text, /ipvs\.scheduler is "rr", not "mh" as in the file: no module ip_vs_mh/)
    assert.match(text, /kernel parameter net\.ipv4\.ip_forward: 0, expected 1: pods do not reach Services/)
    assert.match(await page.locator('.facts').innerText(), /Not ready[\s\S]*Oldest change not in the kernel\s+1 min \d+ s/)
    const cells = await page.getByRole('region', { name: 'Draining' }).locator('tbody tr').first().innerText()
    assert.match(
      cells,
      /-t 10\.96\.0\.17:80\s+10\.244\.1\.7:8080\s+shop\/cart\s+1 min 3\d s\s+not selected now\s+in 11 min \d+ s\s+12/,
    )
    assert.match(await page.getByRole('region', { name: 'Remarks' }).innerText(), /asks for scheduler mh/)
    assert.match(await page.getByRole('region', { name: 'Quarantined' }).innerText(), /shop\/cart\s+iptables-restore: line 14/)
  })

  withPage(
    'draws a Service: who reaches which address, by which policy, to which endpoints, and why not to others',
    {},
    '#/service/default/web',
    async page => {
      const texts = (selector: string) =>
        page
          .locator(`.picture ${selector}`)
          .evaluateAll(found => found.map(each => [...each.querySelectorAll('text')].map(text => text.textContent)))
      assert.deepEqual(await texts('.client'), [
        ['Pods', 'in the cluster'],
        ['This node', 'its processes'],
        ['Outside', 'other machines'],
      ])
      assert.deepEqual((await texts('.address'))[1], ['192.0.2.80:80', 'load balancer', 'only from 198.51.100.0/24'])
      assert.deepEqual(await texts('.outcome'), [
        ['Cluster', 'any endpoint'],
        ['Local', 'only on this node'],
      ])
      assert.deepEqual((await texts('.endpoint'))[1], [
        '10.244.2.11:8080',
        'default/web-6d4cf56db6-2pq2 · node2',
        'not under Local: on another node',
      ])
      assert.deepEqual((await texts('.other'))[0], ['10.244.4.11:8080', 'default/web-6d4cf56db6-q4 · node4', 'not ready'])
      assert.deepEqual(await page.locator('.picture .share').allTextContents(), ['33.3 %', '100 %', '33.3 %', '33.3 %'])
      await page.getByRole('button', { name: 'admin 9090/TCP IPv4' }).click()
      assert.deepEqual(await texts('.outcome'), [
        ['✕ refused', 'at once'],
        ['✕ dropped', 'no answer'],
      ])
      assert.equal(await page.title(), 'default/web · node1 · Switchyard')
    },
  )

  withPage('follows a Service while it is open, and keeps the focus where it is', {}, '#/service/default/web', async page => {
    await page.locator('.picture .share').first().waitFor()
    const link = page.getByRole('link', { name: 'Trace from outside to 10.96.0.10:80/TCP' })
    await link.focus()
    const [one] = webPort.endpoints
    assert.ok(one !== undefined)
    daemon.told.detail = service =>
      detail(service, { ports: [{ ...webPort, endpoints: [{ ...one, cluster: { share: 1, reason: null } }] }] })
    daemon.news()
    await page.getByRole('heading', { name: '1 endpoint' }).waitFor()
    assert.deepEqual(await page.locator('.picture .share').allTextContents(), ['100 %', '100 %'])
    assert.ok(await link.evaluate(element => element === document.activeElement))
    assert.equal(await page.locator('#say').innerText(), 'default/web changed')
    daemon.told.detail = () => undefined
    daemon.news()
    await page.getByText('The daemon knows no such Service').waitFor()
    daemon.told.detail = service => detail(service)
    daemon.news()
    await page.locator('.picture .share').first().waitFor()
  })

  withPage('traces: one request for one submission, and the answer whole', {}, '#/trace', async page => {
    const before = daemon.asked.length
    await page.getByLabel('To', { exact: true }).fill('192.0.2.80:80/TCP')
    for (let i = 0; i < 5; i += 1) await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Answered' }).waitFor()
    const text = await page.locator('.answer').innerText()
    for (const words of [
      'default/web:http',
      'externalTrafficPolicy: Local',
      'nat chain KUBE-SVL-37TN7LEU2TT6OVN3',
      '100 %',
      'on another node, and',
      '-j KUBE-SERVICES',
    ]) {
      assert.ok(text.includes(words), words)
    }
    const asked = daemon.asked.slice(before).filter(path => path.includes('/trace'))
    assert.ok(asked.every(path => path.endsWith('from=outside&to=192.0.2.80%3A80%2FTCP')))
    assert.match(page.url(), /#\/trace\?from=outside&to=192\.0\.2\.80%3A80%2FTCP$/)
    const answer = daemon.told.trace
    daemon.told.trace = () => 'there is no pod <b>x</b>'
    await page.getByRole('button', { name: 'Trace' }).click()
    await page.getByText('there is no pod <b>x</b>').last().waitFor()
    daemon.told.trace = answer
  })

  withPage('is used by the keyboard alone: to a Service, back, and to a trace', {}, '', async page => {
    await found(page, '10,000 Services')
    const focused = () => page.evaluate(() => document.activeElement?.textContent || document.activeElement?.id)
    await page.keyboard.press('Tab')
    assert.equal(await focused(), 'Skip to the content')
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle)
    assert.equal(outline, 'solid', 'the focus is seen')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'content')
    await page.keyboard.press('/')
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'search')
    await page.keyboard.type('default/w')
    await found(page, '1 Service found')
    await page.keyboard.press('ArrowDown')
    assert.equal(await focused(), 'default/web')
    await page.keyboard.press('Enter')
    await page.locator('.picture > svg').waitFor()
    assert.equal(await focused(), 'default/web')
    assert.match(page.url(), /#\/service\/default\/web$/)
    await page.keyboard.press('Escape')
    await page.waitForURL(/#\/$/)
    await until(
      async () => (await page.evaluate(() => document.activeElement?.getAttribute('data-key'))) === 'default/web' || undefined,
      'the row again',
    )
    await page.keyboard.press('Enter')
    const link = page.getByRole('link', { name: 'Trace from outside to 192.0.2.80:80/TCP' })
    await link.waitFor()
    for (let i = 0; i < 30 && !(await link.evaluate(element => element === document.activeElement)); i += 1)
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Answered' }).waitFor()
    await page.keyboard.press('/')
    await until(async () => (await page.evaluate(() => document.activeElement?.id)) === 'search' || undefined, 'the search')
    assert.equal(await page.getByLabel('Search').inputValue(), 'default/w')
    await page.keyboard.press('Escape')
    await found(page, '10,000 Services')
  })

  for (const width of [1280, 360]) {
    withPage(`shows hostile names as text, ${width} pixels wide`, { width }, '', async page => {
      await page.getByLabel('Search').fill('default/')
      await found(page, '5 Services found')
      const shown = { ...hostile, turned: 'default/⟨U+202E⟩gnitseretni⟨U+0007⟩⟨U+0000⟩' }
      const names = await page.locator('.list th a').allTextContents()
      assert.deepEqual(names, ['default/web', 'default/headless', ...Object.values(shown)])
      await page.locator('.list a').nth(3).click()
      await page.getByRole('heading', { name: hostile.markup }).waitFor()
      await page.locator('.picture > svg').waitFor()
      const [one] = webPort.endpoints
      assert.ok(one !== undefined)
      const port = { ...webPort, name: hostile.markup, endpoints: [{ ...one, pod: hostile.long, node: hostile.turned }] }
      daemon.told.detail = service =>
        detail(service, { ports: [port], state: { programmed: 'quarantined', remarks: [hostile.markup, hostile.turned] } })
      daemon.news()
      await page.getByRole('heading', { name: '1 endpoint' }).waitFor()
      assert.equal(await page.locator('img').count(), 0)
      assert.equal(await page.title(), `${hostile.markup} · node1 · Switchyard`)
      const wide = await page.locator('.picture .endpoint').evaluate(box => {
        const frame = box.querySelector('rect')?.getBoundingClientRect().right ?? 0
        return [...box.querySelectorAll('text')].map(text => text.getBoundingClientRect().right - frame)
      })
      assert.ok(
        wide.every(over => over <= 0),
        `text leaves its box: ${wide}`,
      )
    })
  }

  withPage('has text that can be read in light and in dark, and moves nothing for who wants no motion', {}, '', async page => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const colours = await page.evaluate(() => {
        const style = getComputedStyle(document.documentElement)
        const value = (name: string): string => style.getPropertyValue(`--${name}`).trim()
        const pairs = [
          ['text', 'surface'],
          ['text', 'ground'],
          ['muted', 'surface'],
          ['muted', 'ground'],
          ['muted', 'raised'],
          ['accent', 'surface'],
          ['accent', 'accent-soft'],
          ['good', 'good-soft'],
          ['warn', 'warn-soft'],
          ['bad', 'bad-soft'],
          ['bad', 'surface'],
          ['muted', 'good-soft'],
          ['text', 'good-soft'],
          ['muted', 'accent-soft'],
        ]
        return {
          dark: matchMedia('(prefers-color-scheme: dark)').matches,
          ground: value('ground'),
          pairs: pairs.map(([one = '', other = '']) => [one, other, value(one), value(other)] as const),
        }
      })
      assert.equal(luminance(colours.ground) < 0.2, colorScheme === 'dark')
      for (const [one, other, front, back] of colours.pairs) {
        const [dark = 0, light = 0] = [luminance(front), luminance(back)].sort((a, b) => a - b)
        const contrast = (light + 0.05) / (dark + 0.05)
        assert.ok(contrast >= 4.5, `${one} on ${other}: ${contrast.toFixed(2)}`)
      }
    }
    const animation = () => page.locator('.dot').evaluate(dot => getComputedStyle(dot).animationName)
    assert.equal(await animation(), 'none')
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    assert.equal(await animation(), 'breathe')
  })

  it('runs no script and no style but its own', async () => {
    const { page, complaints } = await browser.open()
    const harm = `document.documentElement.dataset.harmed = 'yes'`
    // As if a name had found its way into the document as markup.
    await page.route(daemon.url, async route => {
      const response = await route.fetch()
      const body = (await response.text()).replace(
        '<main',
        `<script>${harm}</script><style>main { display: none }</style><img src=x onerror="${harm}"><main`,
      )
      await route.fulfill({ response, body })
    })
    await page.goto(daemon.url)
    await page.locator('.facts').waitFor()
    const harmed = () => page.evaluate(() => document.documentElement.dataset['harmed'])
    assert.equal(await harmed(), undefined)
    for (const directive of ['script-src-elem', 'script-src-attr', 'style-src-elem', 'img-src']) {
      await until(
        () => complaints.some(text => text.startsWith(`policy: ${directive} `)) || undefined,
        `a violation of ${directive}`,
      )
    }
    assert.equal(await harmed(), undefined)
    const markup = await page.evaluate(() => {
      try {
        document.body.innerHTML = '<img src=x onerror="document.title=1">'
        return 'taken'
      } catch (error) {
        return error instanceof TypeError ? 'refused' : String(error)
      }
    })
    assert.equal(markup, 'refused')
    const elsewhere = await page.evaluate(() =>
      fetch('http://127.0.0.2/').then(
        () => 'asked',
        () => 'refused',
      ),
    )
    assert.equal(elsewhere, 'refused')
    assert.ok(
      complaints.some(text => text.includes('connect-src')),
      complaints.join('\n'),
    )
    await page.context().close()
  })

  it('says that the daemon is away, and goes on by itself when it is back', async () => {
    const first = await startFakeDaemon({ port: await freePort() })
    const { page } = await browser.open()
    await page.goto(first.url)
    await page.getByText('Live', { exact: true }).waitFor()
    await first[Symbol.asyncDispose]()
    await page.getByRole('alert').getByText('The daemon does not answer. Its rules stay in the kernel').waitFor()
    await page.getByText('Away', { exact: true }).waitFor()
    await using second = await startFakeDaemon({ port: first.port })
    second.told.status = () => status({ mode: 'ipvs' })
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByRole('alert').waitFor({ state: 'hidden' })
    await page.locator('.facts').getByText('ipvs').waitFor()
    await page.context().close()
  })

  it('gives a place back when its window is closed', async () => {
    const { page } = await browser.open()
    await page.goto(daemon.url)
    await page.getByText('Live', { exact: true }).waitFor()
    const held = daemon.readers()
    assert.ok(held >= 1)
    await page.context().close()
    await until(() => daemon.readers() < held || undefined, 'a place')
  })

  it('is not answered by a name of others, nor to what is no reading', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      assert.equal((await ask({ port: daemon.port, method })).status, 405)
    for (const path of ['/', '/switchyard/v1/live', '/switchyard/v1/services']) {
      assert.equal((await ask({ port: daemon.port, path, headers: { host: 'rebound.example' } })).status, 421, path)
    }
    const { page } = await browser.open()
    const other = await startFakeDaemon()
    await page.goto(`${other.url}#/trace`)
    const read = await page.evaluate(
      url =>
        fetch(url, { mode: 'no-cors' }).then(
          () => 'read',
          () => 'refused',
        ),
      daemon.url,
    )
    assert.equal(read, 'refused')
    await page.context().close()
    await other[Symbol.asyncDispose]()
  })
})

/** Relative, as WCAG 2 has it. @param colour `#rrggbb`. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
