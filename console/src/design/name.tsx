import './name.css'

/** A name that somebody else chose: of any length, in any script and direction. It neither runs off
 *  its place nor turns its surroundings around. */
export function Name({ children, nobody }: { children: string; nobody?: string | undefined }) {
  if (children === '' && nobody !== undefined) return <span className="name minor">{nobody}</span>
  return (
    <bdi className="name" title={children}>
      {children}
    </bdi>
  )
}
