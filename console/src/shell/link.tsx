import type { AnchorHTMLAttributes } from 'react'
import { useRouter } from './route.ts'

/** A link within the console. With a modifier key it is the browser's, as any link. */
export function Link({
  href,
  note,
  ...rest
}: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string; note?: unknown }) {
  const router = useRouter()
  return (
    <a
      href={href}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return
        event.preventDefault()
        router.go(href, note)
      }}
      {...rest}
    />
  )
}
