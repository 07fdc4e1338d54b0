import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, afterEach, before, beforeEach } from 'node:test'
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core'
import { build } from 'vite'
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

/** Builds the console as it is now, to where the server looks for it. Returns that folder. */
async function buildConsole(): Promise<string> {
  const root = new URL('../../console/', import.meta.url).pathname
  await build({ root, logLevel: 'error' })
  return `${root}dist`
}

/** One browser for a file of tests; each test gets its own scripted house and its own page. */
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

/** To be called inside a `describe`. After each test the page must have had no fault: see `faultsOf`. */
export function openStage(): Stage {
  let browser: Browser
  let house: ScriptedHouse
  let context: BrowserContext
  let page: Page
  let faults: string[]
  let dist = ''

  before(async () => {
    dist = await buildConsole()
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  })
  after(() => browser.close())
  beforeEach(async () => {
    house = await openScriptedHouse(dist)
    await open(house.url)
  })
  afterEach(async () => {
    await context.close()
    await house.close()
    assert.deepEqual(faults, [])
  })

  async function open(url: string): Promise<void> {
    context = await browser.newContext()
    page = await context.newPage()
    faults = faultsOf(page, url)
  }

  return {
    get house() {
      return house
    },
    get page() {
      return page
    },
    get answer() {
      return page.getByRole('region', { name: 'Answer', exact: true })
    },
    source: (number) => page.locator(`#source-${number}`),
    async ask(question) {
      await page.getByRole('textbox', { name: 'Question' }).fill(question)
      await page.keyboard.press('Enter')
    },
    async visit(url) {
      await context.close()
      await open(url)
      return page
    },
  }
}

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
