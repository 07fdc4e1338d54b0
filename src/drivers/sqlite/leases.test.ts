import { leasesContract } from '../../store/contract/leases.ts'
import { temporary } from './temporary.ts'

leasesContract(
  'sqlite',
  temporary((store) => store.leases),
)
