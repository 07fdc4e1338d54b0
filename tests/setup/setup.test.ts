import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { findNode } from '../../bin/launch.js'
import { Checkout, type Ended } from './checkout.ts'

/** An environment in which npm cannot be found, so that a set-up that calls it fails. */
const WITHOUT_NPM = { PATH: '', npm_execpath: undefined }

const succeeds = (ended: Ended): void => assert.equal(ended.code, 0, ended.stderr)

suite('set-up', () => {
  let checkout: Checkout
  beforeEach(() => {
    checkout = new Checkout()
  })
  afterEach(() => checkout.remove())

  const version = (): string =>
    (JSON.parse(checkout.read('node_modules/vite/package.json')) as { version: string }).version

  test('installs what the lockfile says, links the command, and then has nothing to do', async () => {
    const first = await checkout.setUp()
    succeeds(first)
    assert.match(first.stderr, /^Installing up to 2 packages as package-lock\.json says/)
    assert.equal(first.stdout, '')
    assert.equal(version(), '1.0.0')
    assert.equal(checkout.read('node_modules/.bin/headworks'), checkout.read('bin/headworks.js'))
    assert.deepEqual(await checkout.setUp(WITHOUT_NPM), { code: 0, signal: null, stdout: '', stderr: '' })
    assert.ok(!readdirSync(checkout.folder).some((name) => name.startsWith('.setup.lock')))
  })

  test('installs again when the lockfile changes', async () => {
    succeeds(await checkout.setUp())
    checkout.lock('2.0.0')
    succeeds(await checkout.setUp())
    assert.equal(version(), '2.0.0')
  })

  test('takes an installation made by hand as it is', async () => {
    succeeds(await checkout.setUp())
    rmSync(join(checkout.folder, 'node_modules/.headworks-setup'))
    succeeds(await checkout.setUp(WITHOUT_NPM))
  })

  test('repairs an installation that lacks a package', async () => {
    succeeds(await checkout.setUp())
    rmSync(join(checkout.folder, 'node_modules/.headworks-setup'))
    rmSync(join(checkout.folder, 'node_modules/vite'), { recursive: true })
    succeeds(await checkout.setUp())
    assert.equal(version(), '1.0.0')
  })

  test('takes over from a run that was killed', async () => {
    const { child, ended } = checkout.start(['scripts/setup.js'])
    await new Promise((resolve) => child.stderr?.once('data', resolve))
    child.kill('SIGKILL')
    await ended
    assert.ok(existsSync(join(checkout.folder, '.setup.lock')))
    succeeds(await checkout.setUp())
    assert.equal(version(), '1.0.0')
  })

  test('two at once install once', async () => {
    const both = await Promise.all([checkout.setUp(), checkout.setUp()])
    both.forEach(succeeds)
    assert.equal(both.filter(({ stderr }) => stderr.includes('Installing')).length, 1)
  })

  test('works without a home folder', async () => {
    succeeds(await checkout.setUp({ HOME: '', npm_config_cache: undefined }))
    succeeds(await checkout.setUp({ HOME: '/nonexistent', npm_config_cache: undefined }))
  })

  test('says so when the registry cannot be reached, and is not fresh afterwards', async () => {
    checkout.lockFromRegistry()
    const offline = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' }
    for (let attempt = 0; attempt < 2; attempt++) {
      const ended = await checkout.setUp(offline)
      assert.equal(ended.code, 1)
      assert.match(ended.stderr, /The package registry cannot be reached\. The set-up needs the network this once/)
    }
  })

  test('says so when there is no npm, and when the lockfile is behind', async () => {
    const missing = await checkout.setUp(WITHOUT_NPM)
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /There is no npm on the PATH\. Install it/)
    checkout.write('other/package.json', '{ "name": "other", "version": "1.0.0" }')
    checkout.write(
      'package.json',
      checkout.read('package.json').replace('"devDependencies":{', '"devDependencies":{"other":"file:other",'),
    )
    const behind = await checkout.setUp()
    assert.equal(behind.code, 1)
    assert.match(behind.stderr, /package\.json and package-lock\.json do not agree/)
  })

  test('builds the console when its sources changed, and keeps the last one when they are broken', async () => {
    checkout.write('console/index.html', '<html>')
    checkout.write('console/src/app.ts', 'first')
    const built = (): string => checkout.read('console/dist/index.html')
    assert.match((await checkout.setUp()).stderr, /Built the console/)
    assert.equal(built(), 'first')
    checkout.write('console/src/app.test.ts', 'a test')
    assert.equal((await checkout.setUp()).stderr, '')
    checkout.write('console/src/app.ts', 'broken')
    const broken = await checkout.setUp()
    assert.equal(broken.code, 1)
    assert.match(broken.stderr, /app\.ts:1: broken[^]*The console could not be built/)
    assert.equal(built(), 'first')
    checkout.write('console/src/app.ts', 'second')
    succeeds(await checkout.setUp())
    assert.equal(built(), 'second')
    rmSync(join(checkout.folder, 'console/dist'), { recursive: true })
    succeeds(await checkout.setUp())
    assert.equal(built(), 'second')
  })
})

test('Node 26 is the running one, else the package for this platform, else nowhere', async () => {
  const checkout = new Checkout()
  try {
    assert.equal(findNode(checkout.folder), process.execPath)
    assert.equal(findNode(checkout.folder, '20.1.0'), undefined)
    assert.equal((await checkout.setUp()).code, 0)
    assert.match(findNode(checkout.folder, '20.1.0') ?? '', /node_modules.node-.*.bin.node/)
  } finally {
    checkout.remove()
  }
})
