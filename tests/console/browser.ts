import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, afterEach, before, beforeEach } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from 'playwright-core'
import { build } from 'vite'
import { serveUsed, type ServedHouse } from './metered.ts'
import { openScriptedHouse, type ScriptedHouse } from './scripted.ts'

/** The browser that Debian packages; nothing is downloaded. */
const CHROMIUM = '/usr/bin/chromium'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** False where the browser is missing, and a test may be left out for it; never in CI. */
const mayRun = existsSync(CHROMIUM) || process.env['CI'] === 'true'

export const BROWSER = { skip: !mayRun && `needs ${CHROMIUM}` }

const BECOMES_MS_MAX = 5_000
const BECOMES_POLL_MS = 25

/** What is read becomes what is expected: pages are drawn when they are ready, and not at once. */
export async function becomes<Value extends string | number>(
  read: () => Promise<Value | null> | Value,
  expected: Value | RegExp,
): Promise<void> {
  const until = performance.now() + BECOMES_MS_MAX
  for (;;) {
    const value = await read()
    const isSo = expected instanceof RegExp ? expected.test(String(value ?? '')) : value === expected
    if (isSo) return
    if (performance.now() > until) assert.fail(`${JSON.stringify(value)} did not become ${String(expected)}`)
    await sleep(BECOMES_POLL_MS)
  }
}

/** Builds the console as it is now, to where the server looks for it. Returns that folder. */
async function buildConsole(): Promise<string> {
  const root = new URL('../../console/', import.meta.url).pathname
  await build({ root, logLevel: 'error' })
  return `${root}dist`
}

/** One browser for a file of tests, and the page that is open in it. */
interface Pages {
  /** Where the console was built to. */
  readonly dist: string
  readonly page: Page
  /** A fresh page, nothing kept, for the house of this address. */
  open(url: string, options?: BrowserContextOptions): Promise<Page>
}

/** To be called inside a `describe`. After each test the page must have had no fault (`faultsOf`), and
 *  what the test opened is closed. */
function openPages(close: () => Promise<void>): Pages {
  let browser: Browser
  let context: BrowserContext | undefined
  let page: Page
  let faults: string[] = []
  let dist = ''
  before(async () => {
    dist = await buildConsole()
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  })
  after(() => browser.close())
  afterEach(async () => {
    await context?.close()
    await close()
    assert.deepEqual(faults, [])
  })
  return {
    get dist() {
      return dist
    },
    get page() {
      return page
    },
    async open(url, options) {
      await context?.close()
      context = await browser.newContext(options)
      page = await context.newPage()
      faults = faultsOf(page, url)
      return page
    },
  }
}

/** Each test gets its own scripted house and its own page. */
export interface Stage {
  readonly house: ScriptedHouse
  readonly page: Page
  /** The answer on the page. */
  readonly answer: Locator
  source(number: number): Locator
  ask(question: string): Promise<void>
  /** A fresh page, nothing kept, for a house of another address. */
  visit(url: string): Promise<Page>
}

export function openStage(): Stage {
  let house: ScriptedHouse
  const pages = openPages(() => house.close())
  beforeEach(async () => {
    house = await openScriptedHouse(pages.dist)
    await pages.open(house.url)
  })
  return {
    get house() {
      return house
    },
    get page() {
      return pages.page
    },
    get answer() {
      return pages.page.getByRole('region', { name: 'Answer', exact: true })
    },
    source: (number) => pages.page.locator(`#source-${number}`),
    async ask(question) {
      await pages.page.getByRole('textbox', { name: 'Question' }).fill(question)
      await pages.page.keyboard.press('Enter')
    },
    visit: (url) => pages.open(url),
  }
}

/** Each test gets a house with a real control plane, and a page that is signed in to it, in the
 *  house's time. */
export interface HouseStage<House> {
  readonly house: House
  readonly page: Page
  go(path: string): Promise<void>
  /** Another house in place of the one that each test gets. */
  visit(house: (dist: string) => Promise<House>): Promise<void>
  /** Whether anything runs off the side. */
  scrollsSideways(): Promise<boolean>
}

interface EnteredHouse {
  readonly url: string
  /** The key of an administrator. */
  readonly admin: string
  /** Where its time is its own. */
  readonly clock?: { wallMs(): number }
  close(): Promise<void>
}

export function openHouseStage<House extends EnteredHouse>(open: (dist: string) => Promise<House>): HouseStage<House> {
  let house: House
  const pages = openPages(() => house.close())
  async function enter(): Promise<void> {
    await pages.open(house.url, { timezoneId: 'Europe/Berlin' })
    const headers = { origin: house.url }
    const signedIn = await pages.page.request.post(`${house.url}/api/session`, { data: { key: house.admin }, headers })
    assert.equal(signedIn.status(), 200)
    if (house.clock !== undefined) await pages.page.clock.setFixedTime(house.clock.wallMs())
  }
  beforeEach(async () => {
    house = await open(pages.dist)
    await enter()
  })
  return {
    get house() {
      return house
    },
    get page() {
      return pages.page
    },
    go: async (path) => void (await pages.page.goto(house.url + path)),
    async visit(other) {
      await house.close()
      house = await other(pages.dist)
      await enter()
    },
    scrollsSideways: () => pages.page.evaluate('document.documentElement.scrollWidth > innerWidth'),
  }
}

/** A house with weeks of use behind it. */
export const openMeteredStage = (): HouseStage<ServedHouse> => openHouseStage(serveUsed)

/** What went wrong in a page beside what a test looks at: exceptions, refusals by the content
 *  security policy, requests to anywhere else. A refused request of its own is no fault. */
function faultsOf(page: Page, url: string): string[] {
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) faults.push(`asked ${request.url()}`)
  })
  return faults
}

export const QUESTION = 'How do I put a real model behind Headworks?'

/** A point in a script where the answer waits for the test. */
export function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}
