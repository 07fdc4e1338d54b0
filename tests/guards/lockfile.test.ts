import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NODE_MAJOR, NODE_PACKAGES } from '../../bin/launch.js'
import { checkPackages, type Lock, type Locked, type Manifest } from './lockfile.ts'
import { root } from './modules.ts'

const readJson = (name: string): unknown => JSON.parse(readFileSync(join(root, name), 'utf8'))

test('the packages of this tree keep the rules', () =>
  assert.deepEqual(checkPackages(readJson('package.json') as Manifest, readJson('package-lock.json') as Lock), []))

test('the Node that comes along is the same for every platform, and the one bin/launch.js wants', () => {
  const { optionalDependencies } = readJson('package.json') as { optionalDependencies: Record<string, string> }
  const versions = Object.values(NODE_PACKAGES).map((name) => optionalDependencies[name])
  assert.equal(new Set(versions).size, 1)
  assert.equal(Number.parseInt(versions[0] ?? '', 10), NODE_MAJOR)
})

const SOUND: Locked = { version: '1.0.0', integrity: 'sha512-x', license: 'MIT' }
const check = (planted: Locked, pinned = '1.0.0') =>
  checkPackages(
    { dependencies: { a: pinned } },
    {
      lockfileVersion: 3,
      packages: { '': { dependencies: { a: pinned } } as Locked, 'node_modules/a': { ...SOUND, ...planted } },
    },
  )

test('sound packages pass', () => {
  assert.deepEqual(check({}), [])
  assert.deepEqual(check({ license: '(GPL-3.0 OR MIT)' }), [])
  assert.deepEqual(check({ license: 'MPL-2.0', dev: true }), [])
  assert.deepEqual(check({ hasInstallScript: true, optional: true, os: ['darwin'] }), [])
})

test('sees a range', () => assert.deepEqual(check({}, '^1.0.0'), ['a: pin it exactly, not as ^1.0.0']))
test('sees a host', () => assert.match(check({ resolved: 'https://packages.example/a.tgz' }).join(), /names the host/))
test('sees an install script', () => assert.deepEqual(check({ hasInstallScript: true }), ['a: has an install script']))
test('sees an optional install script that would run here', () =>
  assert.deepEqual(check({ hasInstallScript: true, optional: true }), ['a: has an install script']))
test('sees a licence that is not permissive', () => {
  assert.equal(check({ license: 'GPL-3.0' }).length, 1)
  assert.equal(check({ license: 'MIT AND GPL-3.0' }).length, 1)
  const { license: _, ...unlicensed } = SOUND
  assert.equal(checkPackages({}, { lockfileVersion: 3, packages: { '': {}, 'node_modules/a': unlicensed } }).length, 1)
})
test('sees a missing hash', () => {
  const { integrity: _, ...unhashed } = SOUND
  assert.deepEqual(checkPackages({}, { lockfileVersion: 3, packages: { '': {}, 'node_modules/a': unhashed } }), [
    'a: no integrity hash',
  ])
})
test('sees a lockfile that is behind', () =>
  assert.match(
    checkPackages({ dependencies: { a: '1.0.0' } }, { lockfileVersion: 3, packages: { '': {} } }).join(),
    /does not have the dependencies/,
  ))

test('sees a build for another platform that the lockfile lacks', () => {
  assert.match(check({ optionalDependencies: { 'a-darwin-arm64': '1.0.0' } }).join(), /^a-darwin-arm64: no entry/)
})

test('a hash may be missing only for a foreign build of a development tool', () => {
  const { integrity: _, ...unhashed } = SOUND
  const found = (planted: Locked) =>
    checkPackages({}, { lockfileVersion: 3, packages: { '': {}, 'node_modules/a': { ...unhashed, ...planted } } })
      .length
  assert.equal(found({ dev: true, optional: true, os: ['darwin'] }), 0)
  assert.equal(found({ dev: true, optional: true, os: ['linux'], cpu: ['x64'], libc: ['musl'] }), 0)
  assert.equal(found({ dev: true, optional: true, os: ['linux'], cpu: ['x64'], libc: ['glibc'] }), 1)
  assert.equal(found({ dev: true, os: ['darwin'] }), 1)
  assert.equal(found({ optional: true, os: ['darwin'] }), 1)
})
