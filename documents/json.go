package documents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"chargestream"
)

// JSON writes an array of the records as the invoices topic has them, one a line, with the signed
// values byte for byte.
func JSON(w io.Writer, list []chargestream.Invoice) error {
	array, err := lines(list)
	if err != nil {
		return err
	}
	_, err = w.Write(append(array, '\n'))
	return err
}

// lines is a JSON array of records, one a line.
func lines(list []chargestream.Invoice) ([]byte, error) {
	if len(list) == 0 {
		return []byte("[]"), nil
	}
	var b bytes.Buffer
	separator := "[\n"
	for i := range list {
		v := list[i]
		if v.Lines == nil {
			v.Lines = []chargestream.InvoiceLine{}
		}
		b.WriteString(separator)
		if err := plainJSON(&b, &v); err != nil {
			return nil, err
		}
		separator = ",\n"
	}
	b.WriteString("\n]")
	return b.Bytes(), nil
}

// plainJSON writes a value without a line end, and leaves letters such as & as they are.
func plainJSON(b *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	b.Truncate(b.Len() - 1)
	return nil
}
