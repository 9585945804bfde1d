package ocmf

import (
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"
)

// TestCurves holds the numbers of the curves against what they must be: primes, a base point that
// lies on the curve, and an order that leads it to the point at infinity and nothing before does.
func TestCurves(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range curves() {
		if !c.p.ProbablyPrime(20) || !c.n.ProbablyPrime(20) || !c.has(c.gx, c.gy) {
			t.Errorf("%s: numbers that are no curve's", c.name)
		}
		if x := c.combine(c.n, new(big.Int), affine{c.gx, c.gy}); x != nil {
			t.Errorf("%s: n times the base point is %x", c.name, x)
		}
		before := c.combine(new(big.Int).Sub(c.n, big.NewInt(1)), new(big.Int),
			affine{c.gx, c.gy})
		if before == nil || before.Cmp(c.gx) != 0 {
			t.Errorf("%s: n-1 times the base point is %x", c.name, before)
		}
		seen[c.name] = true
	}
	// The names of Table 22.
	for _, name := range []string{"secp192k1", "secp256k1", "secp192r1", "secp256r1",
		"brainpool256r1", "secp384r1", "brainpool384r1"} {
		if !seen[name] {
			t.Errorf("%s is not known", name)
		}
	}
}

// plain is a curve of the standard library as it is computed with here.
func plain(name string) *curve {
	for _, c := range curves() {
		if c.name == name {
			bare := *c
			bare.standard = nil
			return &bare
		}
	}
	return nil
}

// TestPlainCurve holds the arithmetic here against the standard library's: sums of multiples of the
// base point, and signatures made there.
func TestPlainCurve(t *testing.T) {
	for name, standard := range map[string]elliptic.Curve{"secp256r1": elliptic.P256(),
		"secp384r1": elliptic.P384(), "secp521r1": elliptic.P521()} {
		c := plain(name)
		for i := range 8 {
			seed := sha256.Sum256([]byte(fmt.Sprint(name, i)))
			private := new(big.Int).SetBytes(seed[:])
			private.Mod(private, c.n)
			key := c.times(private)
			if !c.has(key.x, key.y) || !standard.IsOnCurve(key.x, key.y) {
				t.Fatalf("%s: %x is not on the curve", name, key.x)
			}
			digest := sha256.Sum256([]byte(fmt.Sprint(i)))
			r, s := c.sign(private, digest[:], big.NewInt(int64(1000+i)))
			for _, by := range []*curve{c, plainOf(c, standard)} {
				if !by.verify(key, digest[:], r, s) {
					t.Errorf("%s %d: refused, standard %v", name, i, by.standard != nil)
				}
				other := sha256.Sum256([]byte("other"))
				if by.verify(key, other[:], r, s) {
					t.Errorf("%s %d: another digest, standard %v", name, i, by.standard != nil)
				}
			}
		}
	}
}

func plainOf(c *curve, standard elliptic.Curve) *curve {
	with := *c
	with.standard = standard
	return &with
}

// times is k times the base point.
func (c *curve) times(k *big.Int) affine {
	var sum *jacobian
	g := &jacobian{c.gx, c.gy, big.NewInt(1)}
	for i := k.BitLen() - 1; i >= 0; i-- {
		if sum = c.double(sum); k.Bit(i) == 1 {
			sum = c.add(sum, g)
		}
	}
	z := new(big.Int).ModInverse(sum.z, c.p)
	zz := c.mul(z, z)
	return affine{c.mul(sum.x, zz), c.mul(sum.y, c.mul(zz, z))}
}

// sign signs a digest with a number that must be another each time outside of tests.
func (c *curve) sign(private *big.Int, digest []byte, k *big.Int) (r, s *big.Int) {
	r = new(big.Int).Mod(c.times(k).x, c.n)
	e := new(big.Int).SetBytes(digest)
	if over := 8*len(digest) - c.n.BitLen(); over > 0 {
		e.Rsh(e, uint(over))
	}
	s = new(big.Int).Mul(r, private)
	s.Add(s, e).Mul(s, new(big.Int).ModInverse(k, c.n))
	return r, s.Mod(s, c.n)
}

// TestNumbersOfSignature: numbers outside of 1 to n-1 sign nothing, whatever the curve.
func TestNumbersOfSignature(t *testing.T) {
	digest := sha256.Sum256([]byte("payload"))
	for _, c := range curves() {
		private := big.NewInt(4711)
		key := c.times(private)
		r, s := c.sign(private, digest[:], big.NewInt(12345))
		if !c.verify(key, digest[:], r, s) {
			t.Errorf("%s: refused", c.name)
		}
		more := func(n *big.Int) *big.Int { return new(big.Int).Add(n, c.n) }
		for i, numbers := range [][2]*big.Int{{new(big.Int), s}, {r, new(big.Int)}, {more(r), s},
			{r, more(s)}, {c.n, s}, {r, c.n}, {s, r}} {
			if c.verify(key, digest[:], numbers[0], numbers[1]) {
				t.Errorf("%s: numbers %d are taken", c.name, i)
			}
		}
	}
}
