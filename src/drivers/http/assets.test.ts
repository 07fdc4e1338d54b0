import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { openAssets } from './assets.ts'

const root = mkdtempSync(join(tmpdir(), 'headworks-assets-'))
after(() => rmSync(root, { recursive: true, force: true }))

const dist = join(root, 'dist')
mkdirSync(join(dist, 'assets'), { recursive: true })
const page = '<!doctype html><title>Headworks</title>'
const script = 'console.log(1)'.repeat(100)
writeFileSync(join(root, 'secret.html'), 'outside')
writeFileSync(join(dist, 'index.html'), page)
writeFileSync(join(dist, 'favicon.svg'), '<svg/>')
writeFileSync(join(dist, 'notes.docx'), 'no type')
writeFileSync(join(dist, 'assets/index-abc.js'), script)
writeFileSync(join(dist, 'assets/index-abc.js.gz'), gzipSync(script))
symlinkSync(join(root, 'secret.html'), join(dist, 'link.html'))
const assets = openAssets(dist)
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

test('a file is answered with its type, its length and the safety headers', () => {
  const asset = assets('/favicon.svg', {})
  assert.equal(asset?.status, 200)
  assert.equal(asset.headers['content-type'], 'image/svg+xml')
  assert.equal(asset.headers['content-length'], '6')
  assert.equal(asset.headers['cache-control'], 'no-cache')
  assert.equal(asset.headers['x-content-type-options'], 'nosniff')
  const policy = asset.headers['content-security-policy'] ?? ''
  assert.match(policy, /default-src 'none'/)
  assert.doesNotMatch(policy, /unsafe|https?:|\*/)
})

test('hashed names are immutable, the page is revalidated', () => {
  assert.match(assets('/assets/index-abc.js', {})?.headers['cache-control'] ?? '', /immutable/)
  assert.equal(assets('/index.html', {})?.headers['cache-control'], 'no-cache')
})

test('the compressed file is sent to those who accept it, under its own tag', () => {
  const plain = assets('/assets/index-abc.js', { 'accept-encoding': 'br, gzip;q=0' })
  const packed = assets('/assets/index-abc.js', { 'accept-encoding': 'br, gzip' })
  assert.equal(plain?.headers['content-encoding'], undefined)
  assert.equal(text(plain?.bytes), script)
  assert.equal(packed?.headers['content-encoding'], 'gzip')
  assert.equal(gunzipSync(packed.bytes).toString(), script)
  assert.notEqual(packed.headers.etag, plain?.headers.etag)
  assert.equal(assets('/index.html', { 'accept-encoding': 'gzip' })?.headers['content-encoding'], undefined)
})

test('a known tag is answered 304 without a body', () => {
  const etag = assets('/index.html', {})?.headers.etag ?? ''
  for (const header of [etag, `"other", W/${etag}`, '*']) {
    const asset = assets('/index.html', { 'if-none-match': header })
    assert.equal(asset?.status, 304, header)
    assert.equal(asset.bytes.length, 0)
    assert.equal(asset.headers.etag, etag)
  }
  assert.equal(assets('/index.html', { 'if-none-match': '"other"' })?.status, 200)
})

test('client routes are the page', () => {
  for (const target of ['/', '/?q=a/../b', '/ask?q=what%20is&model=docs', '/traces/01J9', '/ask/']) {
    assert.equal(text(assets(target, {})?.bytes), page, target)
  }
})

test('what is neither a file nor a route is absent', () => {
  const targets = [
    '',
    'index.html',
    '//',
    '//index.html',
    '/assets/',
    '/assets',
    '/assets/missing.js',
    '/missing.js',
    '/notes.docx',
    '/link.html',
    '/api',
    '/api/nothing',
    '/v1/nothing',
    '/metrics',
    '/.env',
    '/..',
    '/../secret.html',
    '/%2e%2e/secret.html',
    '/assets/../index.html',
    '/assets/..%2f..%2fsecret.html',
    '/..\\secret.html',
    '/index.html/',
    '/index.html%00',
    '/assets/index-abc.js.gz',
    '/a b',
    '/ask\0',
    'http://host/',
    '/INDEX.HTML',
  ]
  for (const target of targets) assert.equal(assets(target, {}), undefined, JSON.stringify(target))
})

test('no target whatever brings up a file from outside', () => {
  const pieces = fc.constantFrom(
    '..',
    '.',
    '/',
    '\\',
    '%2e',
    '%2f',
    '%5c',
    'secret.html',
    'dist',
    'assets',
    '\0',
    '?',
    '#',
    root,
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      assert.notEqual(text(assets(`/${parts.join('')}`, {})?.bytes), 'outside')
    }),
  )
})

test('before the build, routes say how to build and the build is noticed', () => {
  const later = join(root, 'later')
  const early = openAssets(later)
  const asset = early('/ask', {})
  assert.equal(asset?.status, 503)
  assert.match(text(asset.bytes), /npx vite build console/)
  assert.equal(early('/assets/x.js', {}), undefined)
  mkdirSync(later)
  writeFileSync(join(later, 'index.html'), page)
  assert.equal(early('/ask', {})?.status, 200)
})
