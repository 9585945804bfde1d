module chargestream

go 1.26
