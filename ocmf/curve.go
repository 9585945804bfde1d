package ocmf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"math/big"
)

// curve is an elliptic curve y² = x³ + ax + b over the field of p, with a base point of the prime
// order n. Signatures are only verified here, so nothing is secret and nothing needs to take the
// same time.
type curve struct {
	name  string // as in the name of the algorithm (Table 22)
	other string // a second name that meters use for the same curve; empty for none
	id    asn1.ObjectIdentifier
	// standard is the implementation of the standard library; nil where it has none.
	standard           elliptic.Curve
	p, a, b, gx, gy, n *big.Int
}

// curves are those that signatures are checked on: all of Table 22, and secp521r1. The numbers are
// those of SEC 2 (version 2.0 and, for 192 bits, 1.0) and of RFC 5639.
func curves() []*curve { return knownCurves }

var knownCurves = []*curve{
	standardCurve("secp256r1", elliptic.P256(), 1, 2, 840, 10045, 3, 1, 7),
	standardCurve("secp384r1", elliptic.P384(), 1, 3, 132, 0, 34),
	standardCurve("secp521r1", elliptic.P521(), 1, 3, 132, 0, 35),
	{
		name: "secp256k1", id: asn1.ObjectIdentifier{1, 3, 132, 0, 10},
		p:  number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
		a:  number("0"),
		b:  number("7"),
		gx: number("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
		gy: number("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"),
		n:  number("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
	},
	{
		name: "secp192r1", id: asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1},
		p:  number("fffffffffffffffffffffffffffffffeffffffffffffffff"),
		a:  number("fffffffffffffffffffffffffffffffefffffffffffffffc"),
		b:  number("64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1"),
		gx: number("188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012"),
		gy: number("07192b95ffc8da78631011ed6b24cdd573f977a11e794811"),
		n:  number("ffffffffffffffffffffffff99def836146bc9b1b4d22831"),
	},
	{
		name: "secp192k1", id: asn1.ObjectIdentifier{1, 3, 132, 0, 31},
		p:  number("fffffffffffffffffffffffffffffffffffffffeffffee37"),
		a:  number("0"),
		b:  number("3"),
		gx: number("db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d"),
		gy: number("9b2f2f6d9c5628a7844163d015be86344082aa88d95e2f9d"),
		n:  number("fffffffffffffffffffffffe26f2fc170f69466a74defd8d"),
	},
	{
		name: "brainpool256r1", other: "brainpoolP256r1",
		id: asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7},
		p:  number("a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377"),
		a:  number("7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9"),
		b:  number("26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6"),
		gx: number("8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262"),
		gy: number("547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997"),
		n:  number("a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7"),
	},
	{
		name: "brainpool384r1", other: "brainpoolP384r1",
		id: asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11},
		p: number("8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123" +
			"acd3a729901d1a71874700133107ec53"),
		a: number("7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f" +
			"8aa5814a503ad4eb04a8c7dd22ce2826"),
		b: number("04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d5" +
			"7cb4390295dbc9943ab78696fa504c11"),
		gx: number("1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8" +
			"e826e03436d646aaef87b2e247d4af1e"),
		gy: number("8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff9912928" +
			"0e4646217791811142820341263c5315"),
		n: number("8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7" +
			"cf3ab6af6b7fc3103b883202e9046565"),
	},
}

// number reads one of the numbers above, which are hexadecimal.
func number(hex string) *big.Int {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("ocmf: " + hex + " is no hexadecimal number")
	}
	return n
}

func standardCurve(name string, c elliptic.Curve, id ...int) *curve {
	p := c.Params()
	return &curve{name: name, id: id, standard: c, p: p.P, a: new(big.Int).Sub(p.P, big.NewInt(3)),
		b: p.B, gx: p.Gx, gy: p.Gy, n: p.N}
}

// size is how many octets a coordinate has.
func (c *curve) size() int { return (c.p.BitLen() + 7) / 8 }

// affine is a point of a curve. Nil stands for the point at infinity.
type affine struct{ x, y *big.Int }

// right is x³ + ax + b.
func (c *curve) right(x *big.Int) *big.Int {
	r := new(big.Int).Mul(x, x)
	r.Add(r, c.a).Mul(r, x).Add(r, c.b)
	return r.Mod(r, c.p)
}

// has reports whether the curve has a point of these coordinates.
func (c *curve) has(x, y *big.Int) bool {
	if x.Cmp(c.p) >= 0 || y.Cmp(c.p) >= 0 {
		return false
	}
	left := new(big.Int).Mul(y, y)
	return left.Mod(left, c.p).Cmp(c.right(x)) == 0
}

// point reads a point in one of the forms of SEC 1: compressed or not.
func (c *curve) point(octets []byte) (affine, error) {
	size := c.size()
	switch {
	case len(octets) == 1+2*size && octets[0] == 4:
		x := new(big.Int).SetBytes(octets[1 : 1+size])
		y := new(big.Int).SetBytes(octets[1+size:])
		if c.has(x, y) {
			return affine{x, y}, nil
		}
	case len(octets) == 1+size && (octets[0] == 2 || octets[0] == 3):
		x := new(big.Int).SetBytes(octets[1:])
		y := new(big.Int).ModSqrt(c.right(x), c.p)
		if x.Cmp(c.p) < 0 && y != nil {
			if y.Bit(0) != uint(octets[0]&1) {
				y.Sub(c.p, y)
			}
			return affine{x, y}, nil
		}
	}
	return affine{}, errors.New("no point of " + c.name)
}

// verify reports whether a signature of two numbers is of a digest and the key (SEC 1, 4.1.4).
func (c *curve) verify(key affine, digest []byte, r, s *big.Int) bool {
	if c.standard != nil {
		octets := append([]byte{4}, key.x.FillBytes(make([]byte, c.size()))...)
		octets = append(octets, key.y.FillBytes(make([]byte, c.size()))...)
		public, err := ecdsa.ParseUncompressedPublicKey(c.standard, octets)
		if err != nil {
			return false
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		return err == nil && ecdsa.VerifyASN1(public, digest, der)
	}
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(c.n) >= 0 || s.Cmp(c.n) >= 0 {
		return false
	}
	e := new(big.Int).SetBytes(digest)
	if over := 8*len(digest) - c.n.BitLen(); over > 0 {
		e.Rsh(e, uint(over))
	}
	w := new(big.Int).ModInverse(s, c.n)
	u := new(big.Int).Mul(e, w)
	v := new(big.Int).Mul(r, w)
	x := c.combine(u.Mod(u, c.n), v.Mod(v, c.n), key)
	return x != nil && x.Mod(x, c.n).Cmp(r) == 0
}

// combine is the first coordinate of uG + vQ; nil for the point at infinity.
func (c *curve) combine(u, v *big.Int, q affine) *big.Int {
	g := &jacobian{c.gx, c.gy, big.NewInt(1)}
	k := &jacobian{q.x, q.y, big.NewInt(1)}
	both := c.add(g, k)
	var sum *jacobian
	for i := max(u.BitLen(), v.BitLen()) - 1; i >= 0; i-- {
		sum = c.double(sum)
		switch u.Bit(i) | v.Bit(i)<<1 {
		case 1:
			sum = c.add(sum, g)
		case 2:
			sum = c.add(sum, k)
		case 3:
			sum = c.add(sum, both)
		}
	}
	if sum == nil {
		return nil
	}
	z := new(big.Int).ModInverse(sum.z, c.p)
	x := new(big.Int).Mul(z, z)
	x.Mul(x, sum.x)
	return x.Mod(x, c.p)
}

// jacobian is the point (x/z², y/z³). Nil stands for the point at infinity.
type jacobian struct{ x, y, z *big.Int }

func (c *curve) mul(a, b *big.Int) *big.Int {
	product := new(big.Int).Mul(a, b)
	return product.Mod(product, c.p)
}

func (c *curve) sub(a, b *big.Int) *big.Int {
	difference := new(big.Int).Sub(a, b)
	return difference.Mod(difference, c.p)
}

// double is 2p.
func (c *curve) double(p *jacobian) *jacobian {
	if p == nil || p.y.Sign() == 0 {
		return nil
	}
	yy, zz := c.mul(p.y, p.y), c.mul(p.z, p.z)
	s := c.mul(big.NewInt(4), c.mul(p.x, yy))
	m := c.mul(big.NewInt(3), c.mul(p.x, p.x))
	m.Add(m, c.mul(c.a, c.mul(zz, zz)))
	x := c.sub(c.mul(m, m), new(big.Int).Lsh(s, 1))
	y := c.sub(c.mul(m, c.sub(s, x)), c.mul(big.NewInt(8), c.mul(yy, yy)))
	return &jacobian{x, y, c.mul(big.NewInt(2), c.mul(p.y, p.z))}
}

// add is p + q.
func (c *curve) add(p, q *jacobian) *jacobian {
	switch {
	case p == nil:
		return q
	case q == nil:
		return p
	}
	pz, qz := c.mul(p.z, p.z), c.mul(q.z, q.z)
	u, v := c.mul(p.x, qz), c.mul(q.x, pz)
	s, t := c.mul(p.y, c.mul(qz, q.z)), c.mul(q.y, c.mul(pz, p.z))
	h, r := c.sub(v, u), c.sub(t, s)
	if h.Sign() == 0 {
		if r.Sign() == 0 {
			return c.double(p)
		}
		return nil
	}
	hh := c.mul(h, h)
	hhh, uhh := c.mul(hh, h), c.mul(u, hh)
	x := c.sub(c.sub(c.mul(r, r), hhh), new(big.Int).Lsh(uhh, 1))
	y := c.sub(c.mul(r, c.sub(uhh, x)), c.mul(s, hhh))
	return &jacobian{x, y, c.mul(h, c.mul(p.z, q.z))}
}
